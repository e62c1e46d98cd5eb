import { expect, test } from 'vitest';
import { TroughError } from '../../../src/errors.ts';
import { type FakeCluster } from '../../support/fake-cluster.ts';
import { id, openSegment } from './hot-segment-fixture.ts';

function code(name: string) {
  return expect.objectContaining({ code: name }) as unknown;
}

function leaseWrites(cluster: FakeCluster): { count: number } {
  const seen = { count: 0 };
  const update = cluster.store.update.bind(cluster.store);
  cluster.store.update = (...args) => {
    seen.count += 1;
    return update(...args);
  };
  return seen;
}

test('requests that wait share one transaction, in the order in which they came', async () => {
  const { engine, write, committed } = await openSegment();
  const written = await Promise.all(['a', 'b', 'c'].map((sql) => write(sql)));
  expect(engine.groups).toEqual([['a', 'b', 'c']]);
  expect(committed()).toBe('a\nb\nc\n');
  expect(written.map(({ sequence }) => sequence)).toEqual([1, 1, 1]);
});

test('what comes while a group commits goes into the next one', async () => {
  const { engine, write, committed } = await openSegment();
  const gate = engine.gate.holdNext('commit');
  const first = write('a');
  await gate.reached;
  const others = [write('b'), write('c')];
  gate.open();
  await Promise.all([first, ...others]);
  expect(engine.groups).toEqual([['a'], ['b', 'c']]);
  expect(committed()).toBe('a\nb\nc\n');
});

test('a request that fails is undone alone and says why', async () => {
  const { write, committed } = await openSegment();
  const results = await Promise.allSettled([write('a'), write('bad b'), write('c')]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(results[1]).toEqual({ status: 'rejected', reason: code('SQL_FAILED') });
  expect(committed()).toBe('a\nc\n');
});

test('a group in which every request fails commits nothing and leaves the session in order', async () => {
  const { write, committed } = await openSegment();
  await expect(write('bad a')).rejects.toEqual(code('SQL_FAILED'));
  expect((await write('b')).sequence).toBe(1);
  expect(committed()).toBe('b\n');
});

test('one write more than the queue takes is refused, and those that wait are not', async () => {
  const { write, committed } = await openSegment({ queueLimit: 2 });
  const waiting = [write('a'), write('b')];
  await expect(write('c')).rejects.toEqual(code('WRITE_QUEUE_FULL'));
  await Promise.all(waiting);
  expect(committed()).toBe('a\nb\n');
});

test('a group that is killed is run again one by one, and only the one without an end fails', async () => {
  const { cluster, engine, write, committed } = await openSegment();
  const results = Promise.allSettled([write('a'), write('endless'), write('c')]);
  await cluster.clock.advance(2_000);
  expect((await results).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect((await results)[1]).toEqual({ status: 'rejected', reason: code('ENGINE_DEADLINE') });
  expect(engine.groups).toEqual([['a', 'endless', 'c'], ['a'], ['endless'], ['c']]);
  expect(committed()).toBe('a\nc\n');
});

test('requests that came after a killed group do not run before it, and one whose deadline has passed does not run at all', async () => {
  const { cluster, engine, write, committed } = await openSegment();
  const killed = [write('a'), write('endless').catch(() => undefined)];
  await cluster.settle();
  const later = [write('d', 60_000), write('e', 60_000)];
  const impatient = write('f', 500);
  await Promise.all([expect(impatient).rejects.toEqual(code('ENGINE_DEADLINE')), cluster.clock.advance(2_000)]);
  await Promise.all([...killed, ...later]);
  expect(engine.groups).toEqual([['a', 'endless'], ['a'], ['endless'], ['d', 'e']]);
  expect(committed()).toBe('a\nd\ne\n');
});

test('a commit whose child died is neither a success nor a failure', async () => {
  const { write, committed } = await openSegment();
  await expect(write('crash at commit')).rejects.toEqual(code('WRITE_OUTCOME_UNKNOWN'));
  await write('b');
  expect(committed()).toBe('b\n');
});

test('a session whose child died while nothing was written is opened again before the next write', async () => {
  const { engine, write, committed } = await openSegment();
  await write('a');
  engine.sessions[0]?.die();
  await write('b');
  expect(committed()).toBe('a\nb\n');
});

test('a session whose child died while nothing was written is opened again before a promote', async () => {
  const { cluster, engine, write, hot, cold } = await openSegment();
  await write('a');
  engine.sessions[0]?.die();
  await cluster.settle();
  await hot.promote();
  expect(cold.content(id)).toBe('a\n');
});

test('a segment that cannot be opened again takes no more writes', async () => {
  const { engine, write, hot } = await openSegment();
  engine.gate.failNext('openWriter', new TroughError('ENGINE_CHILD_DIED', 'no child'));
  const results = await Promise.allSettled([write('a'), write('crash'), write('c')]);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  expect(hot.broken).toBe(true);
  await expect(write('d')).rejects.toEqual(code('NODE_UNAVAILABLE'));
});

test('the lease says that there are unpromoted writes before the first one is acknowledged, and is written once', async () => {
  const { cluster, engine, write } = await openSegment();
  const writes = leaseWrites(cluster);
  const gate = engine.gate.holdNext('commit');
  const first = write('a');
  await gate.reached;
  expect(await cluster.leaseOf(id)).toMatchObject({ unpromoted: true });
  gate.open();
  await first;
  await write('b');
  await write('c');
  expect(writes.count).toBe(1);
});

test('nothing is acknowledged or kept when the lease went to another node meanwhile', async () => {
  const { cluster, engine, write, committed } = await openSegment({ confirmed: () => false });
  await write('a');
  const gate = engine.gate.holdNext('apply');
  const second = write('b');
  await gate.reached;
  await cluster.lease(id, { node: 'n2', session: 'n2-1', epoch: 2 });
  gate.open();
  await expect(second).rejects.toEqual(code('SEGMENT_NOT_WRITABLE'));
  expect(committed()).toBe('a\n');
});

test('after a gap in which the leader did not count the node as alive, the store is asked once before anything is answered', async () => {
  let lapses = 1;
  const { cluster, hot, write, committed } = await openSegment({ lapses: () => lapses });
  await write('a');
  await cluster.lease(id, { node: 'n2', session: 'n2-1', epoch: 2 });
  await hot.assertCurrent();
  lapses = 2;
  await expect(hot.assertCurrent()).rejects.toEqual(code('SEGMENT_NOT_WRITABLE'));
  await expect(write('b')).rejects.toEqual(code('SEGMENT_NOT_WRITABLE'));
  expect(committed()).toBe('a\n');
});

test('nothing is acknowledged when neither the leader nor the store says that the lease is ours', async () => {
  const { cluster, write, committed } = await openSegment({ confirmed: () => false });
  await write('a');
  cluster.store.setReachable(false);
  await expect(write('b')).rejects.toEqual(code('METADATA_UNREACHABLE'));
  expect(committed()).toBe('a\n');
  cluster.store.setReachable(true);
  await write('c');
  expect(committed()).toBe('a\nc\n');
});
