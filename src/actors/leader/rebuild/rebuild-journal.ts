import { TroughError } from '../../../errors.ts';
import { encodeDocument } from '../../../messages/documents.ts';
import { keys } from '../../../messages/keys.ts';
import { isSegmentId } from '../../../model/segment-id.ts';
import { type RebuildDeps } from './rebuild-deps.ts';
import { type JournalTrace, traceOf } from './journal-trace.ts';
import { type RebuildReport } from './rebuild-report.ts';
import { type LeaseFacts, type RebuiltLeases } from './rebuilt-leases.ts';

/** Where a segment's records are. */
export interface JournalPlace {
  readonly stream: string;
  readonly incarnation: string;
}

/** From every chain of the journal: its segment's lease, and the schemas that segments were made by. */
export class RebuildJournal {
  readonly #deps: RebuildDeps;
  readonly #report: RebuildReport;
  readonly #leases: RebuiltLeases;
  readonly #places = new Map<string, JournalPlace>();
  readonly #facts: LeaseFacts[] = [];
  readonly #schemas = new Map<string, { readonly sql: string; readonly timeMs: number }>();

  constructor(deps: RebuildDeps, report: RebuildReport, leases: RebuiltLeases) {
    this.#deps = deps;
    this.#report = report;
    this.#leases = leases;
  }

  /** Where the journal has records of it; undefined: nowhere. */
  placeOf(segment: string): JournalPlace | undefined {
    return this.#places.get(segment);
  }

  async read(signal: AbortSignal): Promise<void> {
    const { journal } = this.#deps;
    if (journal === undefined) return;
    for (const stream of journal.streams) {
      const { incarnation } = await journal.state(stream, signal);
      for await (const name of journal.keys(stream, signal)) {
        if (!isSegmentId(name) || this.#places.has(name)) continue;
        this.#places.set(name, { stream, incarnation });
        this.#report.counts.journalKeys += 1;
        await this.#take(name, { stream, incarnation }, signal);
      }
    }
  }

  /** Of all segments but those that the operator is asked about: their files on the nodes were looked at before. */
  async writeLeases(signal: AbortSignal): Promise<void> {
    for (const facts of this.#facts) {
      signal.throwIfAborted();
      if (!this.#leases.isHeldBack(facts.segment)) await this.#leases.propose(facts);
    }
  }

  /** Writes the schemas that the records have, but those that are there. Of several under one name the newest counts. */
  async writeSchemas(signal: AbortSignal): Promise<void> {
    const { store, rows, view } = this.#deps;
    for (const [id, { sql }] of this.#schemas) {
      if (id === 'default' && sql === '') continue;
      const key = keys.schema(id);
      if ((await store.get(key, signal)) !== undefined) continue;
      if (!this.#report.dryRun) await store.create(key, encodeDocument({ id, sql }), signal);
      this.#report.counts.schemas += 1;
    }
    for (const [id, many] of await rows.schemas()) {
      if (id === 'default' || this.#schemas.has(id) || view.schema(id) !== undefined) continue;
      const why = `${String(many)} segments were made by the schema '${id}', whose SQL no record has: register it again`;
      this.#report.find('schema', why);
    }
  }

  async #take(segment: string, place: JournalPlace, signal: AbortSignal): Promise<void> {
    const { journal } = this.#deps;
    let trace: JournalTrace | undefined;
    try {
      if (journal !== undefined) trace = await traceOf(journal, { stream: place.stream, name: segment }, signal);
    } catch (error) {
      const { code, message } = TroughError.from(error);
      if (code !== 'JOURNAL_RECORD_UNREADABLE' && code !== 'JOURNAL_LOST') throw error;
      await this.#leases.hold(segment, ['journal'], place);
      this.#report.find('journal-unreadable', message, { segment });
      return;
    }
    if (trace === undefined) return;
    for (const { creation, timeMs } of trace.creations) {
      const before = this.#schemas.get(creation.schema)?.timeMs ?? -Infinity;
      if (timeMs > before) this.#schemas.set(creation.schema, { sql: creation.sql, timeMs });
    }
    this.#facts.push(this.#factsOf(segment, place, trace));
  }

  #factsOf(segment: string, place: JournalPlace, trace: JournalTrace): LeaseFacts {
    const schema = trace.creations.at(-1)?.creation.schema;
    const common = { segment, ...place, ...(schema === undefined ? {} : { schema }) };
    switch (trace.state) {
      case 'shredded':
        return { ...common, state: 'shredded', epoch: trace.epoch };
      case 'closed': {
        const { version = null, sha256 = null, sizeBytes = null } = trace.published ?? {};
        return { ...common, state: 'released', epoch: trace.epoch, version, sha256, sizeBytes };
      }
      case 'open': {
        // Nobody opens it under the epoch that its last session used up. What cold storage has of it is found when it is opened.
        const node = trace.node ?? '';
        const session = this.#deps.view.node(node)?.document.session ?? 'gone';
        return { ...common, state: 'held', epoch: trace.epoch + 1, node, session, unpromoted: trace.hasOpenData };
      }
    }
  }
}
