import { join } from 'node:path';
import { Catalogue, type CatalogueMessage } from '../../src/actors/leader/catalogue.ts';
import { type ManifestPage, type SlotRank } from '../../src/actors/leader/catalogue-rows.ts';
import { CATALOGUE_MIGRATIONS } from '../../src/actors/leader/catalogue-tables.ts';
import { type ListEvent } from '../../src/cold/cold-store.ts';
import { ProcessEngine } from '../../src/engine/pool.ts';
import { silentLog } from '../../src/log.ts';
import { parseSegmentId } from '../../src/model/segment-id.ts';
import { SLOT_COUNT } from '../../src/model/slot.ts';
import { ask, type Reply } from '../../src/runtime/ask.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { FakeCluster } from '../../test/support/fake-cluster.ts';
import { FakeColdStore } from '../../test/support/fake-cold-store.ts';
import { FakeDisk } from '../../test/support/fake-disk.ts';
import { tempDir } from '../../test/support/temp-dir.ts';
import { say } from '../support/say.ts';
import { usageOf } from '../support/usage.ts';

const LOAD_LIMIT_MS = 120_000;
const RSS_LIMIT_MIB = 1_024;
const MANIFEST_LIMIT_MS = 2_000;
const PAGE = 5_000;
/** Of a hundred nodes with two copies, the share of one. */
const EVERY = 50;
const STEPS = 5;

/** A listing of so many files, as fast as somebody reads it. */
class EndlessStore extends FakeColdStore {
  readonly #count: number;
  readonly #onStep: (files: number) => void;

  constructor(count: number, onStep: (files: number) => void) {
    super(new FakeDisk(), () => 0);
    this.#count = count;
    this.#onStep = onStep;
  }

  override async *list(): AsyncIterable<ListEvent> {
    for (let number = 0; number < this.#count; number += 1) {
      const id = parseSegmentId(`crawl-${String(number).padStart(9, '0')}`);
      const file = {
        id,
        path: `/cold/${id}.sqlite`,
        sizeBytes: 20_480 + (number % 1_000) * 4_096,
        modifiedMs: 1.79e12 + number,
      };
      yield { kind: 'file', file };
      // As a storage does: the reader is not the only one that has a turn.
      if (number % 1_000 === 0) await new Promise(setImmediate);
      if ((number + 1) % (this.#count / STEPS) === 0) this.#onStep(number + 1);
    }
    yield { kind: 'done', cursor: 'c', files: this.#count, complete: true };
  }
}

/** The leader's catalogue: a first listing of so many segments, the same again, and what one of a hundred nodes asks for. Sentences for what is beyond its limit. */
export async function measureCatalogue(segments: number): Promise<readonly string[]> {
  const failures: string[] = [];
  await using dir = await tempDir();
  await using engine = new ProcessEngine({ nodePath: process.execPath, queryChildren: 1 });
  const file = join(dir.path, 'catalogue.sqlite');
  await using database = await engine.openDatabase(file, CATALOGUE_MIGRATIONS);
  let peakMiB = 0;
  const look = async (): Promise<string> => {
    const { rssMiB } = await usageOf(process.pid);
    peakMiB = Math.max(peakMiB, rssMiB);
    const own = process.memoryUsage.rss() / 2 ** 20;
    return `RSS ${rssMiB.toFixed(0)} MiB with its children, ${own.toFixed(0)} of them the leader's own process`;
  };
  const watching = setInterval(() => void look(), 1_000);
  let startedAt = 0;
  const cold = new EndlessStore(segments, (files) => {
    const seconds = (performance.now() - startedAt) / 1_000;
    void look().then((memory) => {
      say(`    ${files.toLocaleString('en-US')} files after ${seconds.toFixed(1)} s; ${memory}`);
    });
  });
  const { view } = new FakeCluster();
  const rule = (): { copies: number; tier: 'hot' } => ({ copies: 2, tier: 'hot' });
  const deps = { clock: systemClock, database, engine, file, cold, view, rule, log: silentLog };
  try {
    for (const name of ['a first listing', 'a listing after a restart, nothing changed']) {
      let changed = 0;
      const catalogue = new Catalogue({ ...deps, emit: ({ rows }) => (changed += rows.length) });
      say(`  catalogue, ${name}:`);
      startedAt = performance.now();
      await catalogue.receive({ kind: 'scan' });
      await catalogue.scanned();
      const ms = performance.now() - startedAt;
      say(
        `    ${(ms / 1_000).toFixed(1)} s, ${Math.round(segments / (ms / 1_000)).toLocaleString('en-US')} rows/s, ${changed.toLocaleString('en-US')} changed`,
      );
      if (ms > LOAD_LIMIT_MS) failures.push(`catalogue, ${name}: ${(ms / 1_000).toFixed(0)} s`);
      if (name === 'a first listing') await measureManifest(catalogue, failures);
      await catalogue.stop();
    }
  } finally {
    clearInterval(watching);
  }
  say(`    at most ${peakMiB.toFixed(0)} MiB RSS at any time`);
  if (peakMiB > RSS_LIMIT_MIB) failures.push(`catalogue: ${peakMiB.toFixed(0)} MiB RSS`);
  return failures;
}

async function measureManifest(catalogue: Catalogue, failures: string[]): Promise<void> {
  const slots = Array.from({ length: SLOT_COUNT }, (_, slot): SlotRank => [slot, slot % EVERY]).filter(
    ([, rank]) => rank < 2,
  );
  const pages: number[] = [];
  let rows = 0;
  let after: string | undefined;
  do {
    const startedAt = performance.now();
    const from = after;
    const page = await askFor<ManifestPage>(catalogue, (reply) => ({
      kind: 'manifest',
      slots,
      after: from,
      limit: PAGE,
      reply,
    }));
    JSON.stringify(page);
    pages.push(performance.now() - startedAt);
    rows += page.rows.length;
    after = page.next;
  } while (after !== undefined);
  const total = pages.reduce((sum, ms) => sum + ms, 0);
  say(
    `  manifest of one node of a hundred: ${rows.toLocaleString('en-US')} segments in ${String(pages.length)} pages, ` +
      `${(total / 1_000).toFixed(2)} s in all, the slowest page ${Math.max(...pages).toFixed(0)} ms`,
  );
  if (Math.max(...pages) > MANIFEST_LIMIT_MS) failures.push('manifest: a page takes too long');
}

function askFor<T>(catalogue: Catalogue, message: (reply: Reply<T>) => CatalogueMessage): Promise<T> {
  return ask({ name: 'catalogue', send: (one: CatalogueMessage) => (void catalogue.receive(one), true) }, message);
}
