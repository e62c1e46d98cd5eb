import { decodeRecord, type SegmentRecord } from '../../src/messages/journal-record.ts';
import { type JournalKey } from '../../src/journal/journal.ts';
import { ChainTruth, type Shown, sqlOf } from './chain-truth.ts';
import { leaseOf } from './documents.ts';
import { sha256Of } from './sim-cold.ts';
import { type SimJournal } from './sim-journal.ts';
import { type Truths } from './truths.ts';
import { type World } from './world.ts';

const ALL = 1_000_000;

/** Looks at every record as the journal takes it in, at every purge and at every file that is published: what must hold for whoever opens a segment next. */
export class Chains {
  readonly #world: World;
  readonly #truths: Truths;
  readonly #journal: SimJournal;
  readonly #chains = new Map<string, ChainTruth>();

  constructor(world: World, truths: Truths, journal: SimJournal) {
    this.#world = world;
    this.#truths = truths;
    this.#journal = journal;
    journal.server.onAppend = (key, { body, sequence }, after) => {
      this.#appended(key, decodeRecord(body), sequence, after);
    };
    journal.server.onPurge = ({ name }) => {
      this.#checkWhole(name, 'a purge');
    };
    world.cold.onPublished = (id, before, by) => {
      this.#published(id, before, by);
    };
  }

  of(id: string): ChainTruth {
    const known = this.#chains.get(id) ?? new ChainTruth();
    this.#chains.set(id, known);
    return known;
  }

  /** A client was told that its write is kept, at that sequence. */
  acknowledged(id: string, token: string, sequence: number): void {
    const found = this.of(id).lives.flatMap(({ places }) => places.get(token)?.sequence ?? []);
    if (found.length === 0) this.#world.fail(`${token} of ${id} was acknowledged, and the journal never had it`);
    else if (!found.includes(sequence))
      this.#world.fail(
        `${token} of ${id} was acknowledged at ${String(sequence)}, and is at ${found.join()} in the journal`,
      );
  }

  /** A client was told that nothing of its write was kept. */
  refused(id: string, token: string): void {
    if (this.of(id).lives.some(({ places }) => places.has(token)))
      this.#world.fail(`${token} of ${id} was refused, and is in the journal`);
  }

  /** What an answer shows; undefined when it is no state that there ever was, which the world is told. */
  shown(id: string, content: string, where: string): Shown | undefined {
    const shown = this.of(id).place(content);
    if (shown === undefined) this.#world.fail(`${where} shows what ${id} never was: ${brief(content)}`);
    return shown;
  }

  /** At the end nothing of what the journal took in is missing in cold storage, once nobody holds it, or is there twice. */
  endProblems(): string[] {
    const problems: string[] = [];
    for (const [id, chain] of this.#chains) {
      const { tokens } = chain.life;
      if (leaseOf(this.#world, id)?.state !== 'released' || tokens.length === 0) continue;
      const content = this.#world.cold.files.get(id)?.content;
      const shown = content === undefined ? undefined : chain.place(content);
      const count = shown?.life === chain.life ? shown.count : 0;
      if (count !== tokens.length)
        problems.push(`cold storage has ${String(count)} of ${String(tokens.length)} writes of ${id}`);
    }
    return problems;
  }

  #appended({ name }: JournalKey, record: SegmentRecord, sequence: number, after: number): void {
    const what = describe(record);
    this.#world.runLog.say('chain', name, { sequence, after, epoch: record.epoch, ...what });
    const problem = this.of(name).take(record, sequence, after);
    if (problem !== undefined) this.#world.fail(`${name}: ${problem}`);
    if (record.kind === 'closed') this.#closed(name, record.state.sha256);
    if (record.kind !== 'data') return;
    for (const { request } of record.writes) {
      const token = sqlOf(request);
      if (this.#truths.of(name).writes.get(token)?.fate === 'refused')
        this.#world.fail(`${token} of ${name} was refused, and comes to the journal`);
    }
  }

  #closed(id: string, sha256: string): void {
    const content = this.#world.cold.files.get(id)?.content;
    if (content === undefined || sha256Of(content) !== sha256)
      this.#world.fail(`${id} was closed with a state that is not in cold storage`);
  }

  #published(id: string, before: string | undefined, by: string): void {
    const chain = this.of(id);
    const content = this.#world.cold.files.get(id)?.content ?? '';
    const shown = chain.place(content);
    this.#world.runLog.say('cold', 'published', { segment: id, by, count: shown?.count });
    if (shown === undefined) {
      this.#world.fail(`${by} published what ${id} never was: ${brief(content)}`);
      return;
    }
    const replaced = before === undefined ? undefined : chain.place(before);
    if (replaced?.life === shown.life && replaced.count > shown.count)
      this.#world.fail(`${by} published an older state of ${id} over a newer one`);
    if (leaseOf(this.#world, id)?.state === 'shredded' && this.#truths.of(id).isShredded)
      this.#world.fail(`${by} published ${id}, which is shredded`);
    this.#checkWhole(id, 'a publish');
  }

  /** Whoever opens the segment now finds everything, in the journal and in cold storage alone. */
  #checkWhole(id: string, when: string): void {
    const chain = this.of(id);
    const { tokens, places } = chain.life;
    if (tokens.length === 0) return;
    const content = this.#world.cold.files.get(id)?.content;
    const shown = content === undefined ? undefined : chain.place(content);
    const count = shown?.life === chain.life ? shown.count : 0;
    const records = this.#recordsOf(id);
    const isMissing = tokens.slice(count).some((token) => !records.has(places.get(token)?.sequence ?? 0));
    if (isMissing) this.#world.fail(`after ${when} writes of ${id} are neither in the journal nor in cold storage`);
    const everything = [...records.values()];
    // What stands before a shredding is as if it had never been, and so is a file that it could not remove.
    const all = everything.slice(everything.findLastIndex(({ kind }) => kind === 'shredded') + 1);
    const isNamed = all.some(
      (record) => 'state' in record && content !== undefined && record.state.sha256 === sha256Of(content),
    );
    const hasBeginning = all.some((record) => record.kind === 'claim' && record.creation !== undefined);
    const isOpen =
      all.findLastIndex(({ kind }) => kind === 'data') > all.findLastIndex(({ kind }) => kind === 'closed');
    const beginsAnew = hasBeginning && (content === undefined || !all.some((record) => 'state' in record));
    if (isOpen && !isNamed && !beginsAnew)
      this.#world.fail(`after ${when} nothing says what the writes of ${id} stand on`);
  }

  #recordsOf(name: string): Map<number, SegmentRecord> {
    const { server } = this.#journal;
    const found = server.streams.flatMap((stream) => server.range({ stream, name }, 0, ALL, ALL));
    return new Map(found.map(({ sequence, body }) => [sequence, decodeRecord(body)]));
  }
}

function describe(record: SegmentRecord): object {
  switch (record.kind) {
    case 'data':
      return { writes: record.writes.map(({ request }) => sqlOf(request)).join(',') };
    case 'claim':
      return { claim: record.session, begins: record.creation !== undefined };
    case 'intent':
      return { intent: record.state.applied, version: record.state.version, adopted: record.adopted };
    case 'closed':
      return { closed: record.state.applied, version: record.state.version };
    case 'shredded':
      return { shredded: true };
  }
}

function brief(content: string): string {
  return content.replaceAll('\n', ' ').slice(0, 200);
}
