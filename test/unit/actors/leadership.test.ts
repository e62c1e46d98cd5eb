import { expect, test } from 'vitest';
import { Directory } from '../../../src/actors/directory.ts';
import { Leadership, type LeadershipNews } from '../../../src/actors/leader/leadership.ts';
import { TroughError } from '../../../src/errors.ts';
import { silentLog } from '../../../src/log.ts';
import { type LeaderDocument } from '../../../src/messages/documents.ts';
import { keys } from '../../../src/messages/keys.ts';
import { type MetadataStore } from '../../../src/metadata/metadata-store.ts';
import { MemoryMetadata } from '../../../src/metadata/memory.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const TICK_MS = 500;

/** One sync-master, with a view of its own. */
class Candidate {
  readonly news: LeadershipNews[] = [];
  readonly view: Directory;
  readonly leadership: Leadership;
  #turn = Promise.resolve();

  constructor(clock: ManualClock, store: MetadataStore, node: string) {
    this.view = new Directory({ clock, suspectAfterMs: 6_000, lostAfterMs: 10_000, emit: () => undefined });
    store.watch(
      '',
      (event) => {
        this.view.receive({ kind: 'metadata', event });
      },
      new AbortController().signal,
    );
    this.leadership = new Leadership({
      clock,
      store,
      view: this.view,
      emit: (item) => this.news.push(item),
      log: silentLog,
      self: { node, session: `${node}-1` },
      url: () => `http://${node}`,
    });
  }

  get term(): number | undefined {
    return this.leadership.term;
  }

  /** As the mailbox does: one after another. */
  tick(): void {
    this.view.receive({ kind: 'tick', connected: true });
    this.#turn = this.#turn.then(() => this.leadership.receive());
  }
}

async function scene(...nodes: string[]) {
  const clock = new ManualClock();
  const store = new MemoryMetadata();
  const candidates = nodes.map((node) => new Candidate(clock, store, node));
  await clock.advance(0);
  const pass = async (ms: number, ...ticking: (Candidate | undefined)[]): Promise<void> => {
    for (let passed = 0; passed < ms; passed += TICK_MS) {
      for (const candidate of ticking) candidate?.tick();
      await clock.advance(TICK_MS);
    }
  };
  const stored = async (): Promise<LeaderDocument> => {
    const entry = await store.get(keys.leader);
    return JSON.parse(Buffer.from(entry?.value ?? []).toString()) as LeaderDocument;
  };
  const [one, two] = candidates;
  if (one === undefined) throw new Error('a scene has a candidate');
  return { clock, store, one, two: two ?? one, pass, stored };
}

test('a vacant leadership is taken at once, with the next term', async () => {
  const { one, pass, stored } = await scene('m1');
  await pass(500, one);
  expect(one.term).toBe(1);
  expect(one.news).toEqual([{ kind: 'leading', term: 1 }]);
  expect(await stored()).toMatchObject({ node: 'm1', session: 'm1-1', term: 1, held: true });
});

test('nobody stands before the present documents are known', async () => {
  const clock = new ManualClock();
  const store = new MemoryMetadata();
  const candidate = new Candidate(clock, store, 'm1');
  candidate.tick();
  expect(candidate.view.current).toBe(false);
  await candidate.leadership.receive();
  await clock.advance(0);
  expect(candidate.view.current).toBe(true);
});

test('of two who stand at the same moment exactly one leads', async () => {
  const { one, two, pass } = await scene('m1', 'm2');
  await pass(10_000, one, two);
  expect([one.term, two.term].filter((term) => term !== undefined)).toEqual([1]);
});

test('a leader that lives is left alone, however long', async () => {
  const { one, two, pass } = await scene('m1', 'm2');
  await pass(500, one);
  await pass(60_000, one, two);
  expect([one.term, two.term]).toEqual([1, undefined]);
  expect(one.leadership.renewedMs).toBeLessThanOrEqual(2_500);
});

test('a leader that died is followed once its document has not changed for 6.5 s', async () => {
  const { one, two, pass, stored } = await scene('m1', 'm2');
  await pass(500, one);
  await pass(6_000, two);
  expect(two.term).toBeUndefined();
  await pass(1_500, two);
  expect(two.term).toBe(2);
  expect(await stored()).toMatchObject({ node: 'm2', term: 2 });
});

test('a leader that cannot renew steps down before another takes over', async () => {
  const { store, one, two, pass } = await scene('m1', 'm2');
  await pass(500, one);
  const update = store.update.bind(store);
  store.update = (key, value, revision, signal) =>
    Buffer.from(value).includes('"m1"')
      ? Promise.reject(new TroughError('METADATA_UNREACHABLE', 'no answer'))
      : update(key, value, revision, signal);
  const overlap: unknown[] = [];
  for (let passed = 0; passed < 10_000; passed += 500) {
    await pass(500, one, two);
    if (one.term !== undefined && two.term !== undefined) overlap.push(passed);
  }
  expect(overlap).toEqual([]);
  expect(two.term).toBe(2);
  expect(one.news).toEqual([
    { kind: 'leading', term: 1 },
    { kind: 'deposed', term: 1 },
  ]);
});

test('a leader does not believe in itself while a renewal hangs for longer than it may lead', async () => {
  const { store, one, two, pass } = await scene('m1', 'm2');
  await pass(500, one);
  let calls = 0;
  const update = store.update.bind(store);
  store.update = (key, value, revision, signal) => {
    if (!Buffer.from(value).includes('"m1"')) return update(key, value, revision, signal);
    calls += 1;
    if (calls < 6) return Promise.reject(new TroughError('METADATA_UNREACHABLE', 'no answer'));
    return new Promise((_resolve, reject) => {
      signal?.addEventListener('abort', () => {
        reject(new TroughError('METADATA_UNREACHABLE', 'given up'));
      });
    });
  };
  const overlap: number[] = [];
  for (let passed = 0; passed < 12_000; passed += 500) {
    await pass(500, one, two);
    if (one.term !== undefined && two.term !== undefined) overlap.push(passed);
  }
  expect(calls).toBe(6);
  expect(overlap).toEqual([]);
});

test('one that was deposed stops at its next renewal', async () => {
  const { clock, store, one, pass } = await scene('m1');
  await pass(500, one);
  const entry = await store.get(keys.leader);
  const other = { node: 'm2', session: 'm2-1', url: '', held: true, term: 2, beat: 0 };
  await store.update(keys.leader, Buffer.from(JSON.stringify(other)), entry?.revision ?? 0);
  await clock.advance(0);
  await pass(3_000, one);
  expect(one.term).toBeUndefined();
  expect(one.leadership.renewedMs).toBe(Infinity);
  expect(one.news.at(-1)).toEqual({ kind: 'deposed', term: 1 });
});

test('a clean stop lets another lead at once', async () => {
  const { one, two, pass, stored } = await scene('m1', 'm2');
  await pass(500, one);
  await one.leadership.stop();
  expect(one.term).toBeUndefined();
  expect(await stored()).toMatchObject({ held: false });
  await pass(500, two);
  expect(two.term).toBe(2);
});

test('a standby that stops changes nothing', async () => {
  const { one, two, pass, stored } = await scene('m1', 'm2');
  await pass(500, one);
  await two.leadership.stop();
  expect(await stored()).toMatchObject({ node: 'm1', held: true });
});

test('a renewal that landed although its answer was lost is no other’s leadership', async () => {
  const { store, one, pass, stored } = await scene('m1');
  await pass(500, one);
  const update = store.update.bind(store);
  let lost = 0;
  store.update = async (...args) => {
    const revision = await update(...args);
    lost += 1;
    if (lost === 1) throw new TroughError('METADATA_UNREACHABLE', 'the answer was lost', { outcome: 'unknown' });
    return revision;
  };
  await pass(20_000, one);
  expect(lost).toBeGreaterThan(2);
  expect(one.term).toBe(1);
  expect(one.news).toEqual([{ kind: 'leading', term: 1 }]);
  expect(await stored()).toMatchObject({ node: 'm1', term: 1 });
});

test('a leadership that was taken although the answer was lost is taken once more, with another term', async () => {
  const { store, one, pass } = await scene('m1');
  const create = store.create.bind(store);
  store.create = async (...args) => {
    await create(...args);
    throw new TroughError('METADATA_UNREACHABLE', 'the answer was lost', { outcome: 'unknown' });
  };
  await pass(1_000, one);
  expect(one.term).toBe(2);
});

test('a process takes over at once from its own earlier run', async () => {
  const { clock, store, one, pass } = await scene('m1');
  const earlier = { node: 'm1', session: 'm1-0', url: '', held: true, term: 7, beat: 3 };
  await store.create(keys.leader, Buffer.from(JSON.stringify(earlier)));
  await clock.advance(0);
  await pass(500, one);
  expect(one.term).toBe(8);
});

/** As when the machine slept for `ms`: its monotonic clock stood still, the wall clock did not. */
function sleep(clock: ManualClock, ms: number): void {
  const now = clock.now.bind(clock);
  clock.now = () => now() + ms;
}

test('a leader whose machine slept leads again only when the store has confirmed it', async () => {
  const { clock, one, pass } = await scene('m1');
  await pass(4_000, one);
  sleep(clock, 60_000);
  expect(one.term).toBeUndefined();
  await pass(500, one);
  expect(one.term).toBe(1);
  expect(one.news).toEqual([{ kind: 'leading', term: 1 }]);
});

test('a leader that was replaced while its machine slept steps down without having led', async () => {
  const { clock, store, one, pass, stored } = await scene('m1');
  await pass(4_000, one);
  sleep(clock, 60_000);
  const other = { node: 'm2', session: 'm2-1', url: '', held: true, term: 2, beat: 0 };
  const entry = await store.get(keys.leader);
  await store.update(keys.leader, Buffer.from(JSON.stringify(other)), entry?.revision ?? 0);
  await pass(500, one);
  expect(one.term).toBeUndefined();
  expect(await stored()).toMatchObject({ node: 'm2', term: 2 });
});

test('a leader that hears of a later term leads no more, before its next renewal finds out', async () => {
  const { clock, store, one, pass } = await scene('m1');
  await pass(4_000, one);
  const other = { node: 'm2', session: 'm2-1', url: '', held: true, term: 2, beat: 0 };
  const entry = await store.get(keys.leader);
  await store.update(keys.leader, Buffer.from(JSON.stringify(other)), entry?.revision ?? 0);
  await clock.advance(0);
  expect(one.term).toBeUndefined();
});
