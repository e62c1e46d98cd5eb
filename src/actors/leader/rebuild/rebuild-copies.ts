import { TroughError } from '../../../errors.ts';
import { type SurveyAnswer, type SurveyedCopy } from '../../../messages/rebuild.ts';
import { isSegmentId, parseSegmentId } from '../../../model/segment-id.ts';
import { SLOT_COUNT, slotOf } from '../../../model/slot.ts';
import { type CatalogueEntry } from '../catalogue-rows.ts';
import { type RebuildDeps } from './rebuild-deps.ts';
import { type RebuildReport } from './rebuild-report.ts';
import { type RebuildRow } from './rebuild-rows.ts';
import { type RebuiltLeases } from './rebuilt-leases.ts';

/**
 * From the inventories: which version the file in cold storage is, so that nothing is fetched that is there; a lease with that version where a node has an older
 * copy, so that it answers nobody as if it were the newest; and how many copies of each slot a node has.
 */
export class RebuildCopies {
  readonly #deps: RebuildDeps;
  readonly #report: RebuildReport;
  readonly #leases: RebuiltLeases;
  readonly holdings = new Map<string, Uint32Array>();

  constructor(deps: RebuildDeps, report: RebuildReport, leases: RebuiltLeases) {
    this.#deps = deps;
    this.#report = report;
    this.#leases = leases;
  }

  async collect(node: string, signal: AbortSignal): Promise<void> {
    const held = new Uint32Array(SLOT_COUNT);
    this.holdings.set(node, held);
    for (let after: string | undefined = ''; after !== undefined;) {
      signal.throwIfAborted();
      const page: SurveyAnswer = await this.#deps.survey(node, { what: 'copies', after });
      const copies = page.copies.filter(({ id }) => isSegmentId(id));
      for (const { id } of copies) {
        const slot = slotOf(parseSegmentId(id));
        held[slot] = (held[slot] ?? 0) + 1;
      }
      await this.#compare(node, copies, signal);
      this.#report.counts.copies += copies.length;
      after = page.next;
    }
  }

  async #compare(node: string, copies: readonly SurveyedCopy[], signal: AbortSignal): Promise<void> {
    const rows = await this.#deps.rows.of(copies.map(({ id }) => id));
    const settled: CatalogueEntry[] = [];
    for (const copy of copies) {
      signal.throwIfAborted();
      const row = rows.get(copy.id);
      if (row?.isInCold !== true) {
        await this.#alone(node, copy);
        continue;
      }
      const entry = row.sha256 === null ? await this.#identify(copy, row) : undefined;
      if (entry !== undefined) settled.push(entry);
      const sha256 = entry?.sha256 ?? row.sha256;
      if (sha256 !== null && sha256 !== copy.sha256) await this.#outdated(copy, entry?.version ?? row.version, row);
    }
    if (settled.length > 0 && !this.#report.dryRun) await this.#deps.catalogue.settled(settled);
  }

  /** What cold storage has, by what is known of this copy; undefined: its size alone says that the copy is another one. */
  async #identify(copy: SurveyedCopy, row: RebuildRow): Promise<CatalogueEntry | undefined> {
    const { sizeBytes, modifiedMs } = row;
    const entry = { id: parseSegmentId(copy.id), sizeBytes, modifiedMs, schema: null };
    // A version is not below the time at which its file was put there, unless it was named before: then only the content tells.
    const isSame = copy.sizeBytes === sizeBytes && copy.version >= modifiedMs;
    if (isSame) return { ...entry, version: copy.version, sha256: copy.sha256 };
    if (this.#report.dryRun) return undefined;
    const sha256 = await this.#checksum(copy.id);
    if (sha256 === undefined) return undefined;
    return { ...entry, version: sha256 === copy.sha256 ? copy.version : row.version, sha256 };
  }

  /** undefined: it cannot be read now, and is fetched anew by those who are to have it. */
  async #checksum(segment: string): Promise<string | undefined> {
    try {
      return await this.#deps.cold.checksum(parseSegmentId(segment));
    } catch (error) {
      const err = TroughError.from(error);
      this.#deps.log.warn({ segment, err }, 'what cold storage has could not be compared with the copies');
      return undefined;
    }
  }

  async #outdated(copy: SurveyedCopy, version: number, row: RebuildRow): Promise<void> {
    if ((await this.#leases.of(copy.id)) !== undefined) return;
    const { sha256, sizeBytes, schema } = row;
    await this.#leases.propose({
      ...{ segment: copy.id, state: 'released', version, sha256, sizeBytes },
      schema: schema ?? 'default',
    });
  }

  async #alone(node: string, { id, version }: SurveyedCopy): Promise<void> {
    const lease = await this.#leases.of(id);
    if (lease !== undefined) return;
    const why = `a copy of version ${String(version)} is on ${node}, and cold storage has no file of it: it was shredded, or its file was lost; the copy is kept`;
    this.#report.find('only-copies', why, { segment: id, node });
  }
}
