import { expect, test } from 'vitest';
import { CatalogueRows } from '../../../src/actors/leader/catalogue-rows.ts';
import { ColdScan } from '../../../src/actors/leader/cold-scan.ts';
import { type ColdStore, type ListEvent } from '../../../src/cold/cold-store.ts';
import { type LocalDatabase } from '../../../src/engine/engine.ts';
import { parseSegmentId } from '../../../src/model/segment-id.ts';
import { FakeCluster } from '../../support/fake-cluster.ts';
import { FakeColdStore } from '../../support/fake-cold-store.ts';
import { FakeDisk } from '../../support/fake-disk.ts';
import { passUntil } from '../../support/pass-until.ts';
import { recordingLog } from '../../support/recording-log.ts';

const FILES = 250_000;

/** As if that many files were there. */
class FullStore extends FakeColdStore {
  override async *list(): AsyncIterable<ListEvent> {
    for (let number = 0; number < FILES; number += 1) {
      const id = parseSegmentId(`s${String(number)}`);
      yield { kind: 'file', file: { id, path: `/cold/${id}.sqlite`, sizeBytes: 1, modifiedMs: 1 } };
    }
    await Promise.resolve();
    yield { kind: 'done', cursor: 'c', files: FILES, complete: true };
  }
}

test('a listing of very many files says how far it is, and hands them on in batches', async () => {
  const cluster = new FakeCluster();
  const cold: ColdStore = new FullStore(new FakeDisk(), () => 0);
  const { log, lines } = recordingLog();
  const database: LocalDatabase = {
    run: () => Promise.resolve(),
    all: () => Promise.resolve([]),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const batches: number[] = [];
  const found = (files: readonly unknown[]): Promise<void> => {
    batches.push(files.length);
    return Promise.resolve();
  };
  const rows = new CatalogueRows(database, () => ({ copies: 1, tier: 'hot' }));
  const scan = new ColdScan({ clock: cluster.clock, cold, rows, view: cluster.view, log, found });
  await scan.run(new AbortController().signal);
  expect(lines.filter(({ msg }) => msg === 'cold storage is being listed').map(({ files }) => files)).toEqual([
    100_000, 200_000,
  ]);
  expect(batches.reduce((sum, length) => sum + length, 0)).toBe(FILES);
  expect(batches[0]).toBe(500);
  expect(Math.max(...batches)).toBeLessThanOrEqual(50_000);
  expect(batches.length).toBeLessThan(FILES / 500 / 4);
});

test('everything is looked at again after the time that is set, no faster than is set, but for the first time', async () => {
  const cluster = new FakeCluster();
  const { clock, view } = cluster;
  const cold = new FakeColdStore(new FakeDisk(), () => 1);
  for (let number = 0; number < 100; number += 1) cold.put(`s-${String(number)}`, 'x');
  const cursors: (string | undefined)[] = [];
  const list = cold.list.bind(cold);
  cold.list = (cursor, signal) => {
    cursors.push(cursor);
    return list(cursor, signal);
  };
  const database: LocalDatabase = {
    run: () => Promise.resolve(),
    all: () => Promise.resolve([]),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const rows = new CatalogueRows(database, () => ({ copies: 1, tier: 'hot' }));
  const found = (): Promise<void> => Promise.resolve();
  const net = { everyMs: 3_600_000, filesPerSecond: 10 };
  const scan = new ColdScan({ clock, cold, rows, view, log: recordingLog().log, net, found });
  const { signal } = new AbortController();
  await scan.run(signal);
  await clock.advance(3_599_000);
  await scan.run(signal);
  expect(cursors).toEqual([undefined, '1']);

  await clock.advance(1_000);
  expect(await passUntil(clock, scan.run(signal))).toBeGreaterThanOrEqual(10_000);
  expect(cursors.at(-1)).toBeUndefined();
});

test('what is new is taken in before the files that were known are looked at', async () => {
  const { clock, view } = new FakeCluster();
  const looked = Promise.withResolvers<undefined>();
  const id = parseSegmentId('s-1');
  class SlowStore extends FakeColdStore {
    override async *list(): AsyncIterable<ListEvent> {
      yield { kind: 'file', file: { id, path: '/cold/s-1.sqlite', sizeBytes: 1, modifiedMs: 1 } };
      yield { kind: 'named' };
      await looked.promise;
      yield { kind: 'done', cursor: 'c', files: 1 };
    }
  }
  const database: LocalDatabase = {
    run: () => Promise.resolve(),
    all: () => Promise.resolve([]),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const rows = new CatalogueRows(database, () => ({ copies: 1, tier: 'hot' }));
  const taken = Promise.withResolvers<readonly string[]>();
  const found = (files: readonly { readonly id: string }[]): Promise<void> => {
    taken.resolve(files.map((file) => file.id));
    return Promise.resolve();
  };
  const cold = new SlowStore(new FakeDisk(), () => 1);
  const scan = new ColdScan({ clock, cold, rows, view, log: recordingLog().log, found });
  const running = scan.run(new AbortController().signal);
  expect(await taken.promise).toEqual(['s-1']);
  looked.resolve(undefined);
  await running;
});
