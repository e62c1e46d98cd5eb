import { expect, test, vi } from 'vitest';
import { TroughError } from '../../../src/errors.ts';
import { type MemoryJournal } from '../../../src/journal/memory-journal.ts';
import { type NodeCalls, type PeerCalls } from '../../../src/messages/node-calls.ts';
import { FakeNodes } from '../../support/fake-nodes.ts';
import { code, id, journaledCluster } from './journaled-fixture.ts';

/** n1 holds the segment; what it asks of n2 goes there. */
async function scene() {
  const at = journaledCluster();
  const n2 = at.process('n2');
  const nodes: Pick<NodeCalls, 'open' | 'prepare'> = {
    prepare: (node, { lease }) => {
      expect(node).toBe('n2');
      return n2.prepare(lease);
    },
    open: (node, { lease, revision, hasBase }) => {
      expect(node).toBe('n2');
      return n2.openAs(lease, revision, hasBase);
    },
  };
  const peers: PeerCalls = Object.assign(new FakeNodes(), {
    write: (_: string, { request, requestId }: Parameters<PeerCalls['write']>[1]) =>
      n2.write(request.kind === 'script' ? request.sql : '', requestId),
  });
  const n1 = at.process('n1', 'n1-1', { nodes, peers });
  await at.cluster.node('n1');
  await at.cluster.node('n2');
  await n1.open({}, false, 'create');
  return { ...at, n1, n2 };
}

test('a segment is given to another node with all that was acknowledged and nothing published; nothing of it stays here', async () => {
  const { n1, n2, cluster, cold, disk, kinds } = await scene();
  await n1.write('a');
  await n1.handOver('n2');
  expect(n2.content()).toBe('create\na\n');
  expect(await cluster.leaseOf(id)).toMatchObject({ node: 'n2', session: 'n2-1', epoch: 2, unpromoted: true });
  await cluster.settle();
  expect([...disk.files.keys()].filter((file) => file.startsWith('/n1/'))).toEqual([]);
  expect(await cold.stat(id)).toBeUndefined();
  await n2.write('b');
  expect(kinds()).toEqual(['claim', 'data', 'claim', 'data']);
});

test('a write that comes while its segment is given away waits, and is applied once by the new holder', async () => {
  const { n1, n2 } = await scene();
  await n1.write('a');
  const opening = n2.engine.gate.holdNext('openWriter');
  const moving = n1.handOver('n2');
  await opening.reached;
  const waiting = n1.write('b', 'request-b', false);
  const refused = n1.write('c');
  opening.open();
  await moving;
  expect(await waiting).toMatchObject({ node: 'n2' });
  await expect(refused).rejects.toEqual(code('SEGMENT_NOT_WRITABLE'));
  expect(n2.content()).toBe('create\na\nb\n');
});

test('what is under way when the segment is given away is acknowledged first, and nobody reads here from then on', async () => {
  const { n1, n2, cluster } = await scene();
  const commit = n1.engine.gate.holdNext('commit');
  const writing = n1.write('a');
  await commit.reached;
  const moving = n1.handOver('n2');
  await cluster.settle();
  expect(n1.host.hotFile(id)).toBeUndefined();
  expect(n1.host.underWay(id)).toBeDefined();
  commit.open();
  expect(await writing).toMatchObject({ node: 'n1' });
  await moving;
  expect(n2.content()).toBe('create\na\n');
  expect(n1.host.underWay(id)).toBeUndefined();
});

test('a write at the new holder waits until the segment is open there', async () => {
  const { n1, n2 } = await scene();
  const opening = n2.engine.gate.holdNext('openWriter');
  const moving = n1.handOver('n2');
  await opening.reached;
  const waiting = n2.write('b');
  opening.open();
  await moving;
  expect(await waiting).toMatchObject({ node: 'n2' });
});

test('a lease that cannot be written over leaves the segment here, open again, with all that it had', async () => {
  const { n1, n2, cluster } = await scene();
  await n1.write('a');
  vi.spyOn(cluster.store, 'update').mockRejectedValueOnce(new TroughError('METADATA_UNREACHABLE', 'away'));
  await expect(n1.handOver('n2')).rejects.toEqual(code('METADATA_UNREACHABLE'));
  await n1.tick();
  await n1.write('b');
  expect(n1.content()).toBe('create\na\nb\n');
  expect(n2.content()).toBe('');
});

test('a node that is being stopped gives away what has a journal, and opens nothing more', async () => {
  const { n1, n2, cluster } = await scene();
  await n1.write('a');
  await n1.leave();
  expect(n1.host.isLeaving).toBe(true);
  expect(n2.content()).toBe('create\na\n');
  await expect(n1.open({ ...(await cluster.leaseOf(id)), node: 'n1', session: 'n1-1', epoch: 9 })).rejects.toEqual(
    code('NODE_UNAVAILABLE'),
  );
});

test('without another writer a node that is being stopped keeps its segments, and takes writes to the end', async () => {
  const { n1, cluster } = await scene();
  await cluster.node('n2', { state: 'stopped' });
  await n1.leave();
  expect(await cluster.leaseOf(id)).toMatchObject({ node: 'n1', epoch: 1 });
  await n1.write('a');
  expect(n1.content()).toBe('create\na\n');
});

/** Enough of them that a preparation pays. */
async function writeMuch(n1: { write: (sql: string) => Promise<unknown> }): Promise<string> {
  const lines = ['x', 'y', 'z'].map((letter) => letter.repeat(60_000));
  for (const line of lines) await n1.write(line);
  return lines.map((line) => `${line}\n`).join('');
}

test('what is long in the journal is made ready by the other while writes go on here, and that one runs only what came meanwhile', async () => {
  const { n1, n2, kinds } = await scene();
  const much = await writeMuch(n1);
  const preparing = n2.engine.gate.holdNext('replay');
  const moving = n1.handOver('n2');
  await preparing.reached;
  expect(kinds()).not.toContain('intent');
  expect(await n1.write('meanwhile')).toMatchObject({ node: 'n1' });
  expect(n1.host.hotFile(id)).toBeDefined();
  preparing.open();
  await moving;
  expect(n2.content()).toBe(`create\n${much}meanwhile\n`);
  expect(n2.engine.opened.map(({ schemaSql }) => schemaSql)).toEqual(['create', undefined]);
  expect(kinds()).toEqual(['claim', 'data', 'data', 'data', 'data', 'claim']);
});

/** Where each reading of the journal by a process began. */
function readingsOf({ journal }: { readonly journal: MemoryJournal }): number[] {
  const from: number[] = [];
  const read = journal.read.bind(journal);
  vi.spyOn(journal, 'read').mockImplementation((key, range, signal) => {
    from.push(range.from);
    return read(key, range, signal);
  });
  return from;
}

test('whoever made the file ready reads only what came behind it, and knows all requests of before', async () => {
  const { n1, n2, kinds } = await scene();
  const much = await writeMuch(n1);
  await n1.write('once', 'request-1');
  const preparing = n2.engine.gate.holdNext('replay');
  const moving = n1.handOver('n2');
  await preparing.reached;
  await n1.write('meanwhile', 'request-2');
  const readings = readingsOf(n2);
  preparing.open();
  await moving;
  // The claim and what came meanwhile are the records behind the five of the preparation.
  expect(readings.length).toBeGreaterThan(0);
  expect(Math.min(...readings)).toBeGreaterThan(5);
  for (const [sql, request] of [
    ['once', 'request-1'],
    ['meanwhile', 'request-2'],
  ] as const)
    await n2.write(sql, request);
  expect(n2.content()).toBe(`create\n${much}once\nmeanwhile\n`);
  expect(kinds()).toEqual(['claim', 'data', 'data', 'data', 'data', 'data', 'claim']);
});

test('what was prepared is looked at anew when the segment was promoted and its journal purged meanwhile', async () => {
  const { n1, n2, cluster, kinds } = await scene();
  const much = await writeMuch(n1);
  const lease = await cluster.leaseOf(id);
  if (lease?.stream === undefined || lease.stream === null) throw new Error('no lease with a journal');
  expect(await n2.prepare(lease)).toEqual({ prepared: true });
  await n1.write('later');
  await n1.holder('promote');
  await n1.write('last');
  await n1.journal.purge({ stream: lease.stream, name: id }, kinds().indexOf('intent') + 1);
  const readings = readingsOf(n2);
  await n1.handOver('n2');
  expect(Math.min(...readings)).toBeLessThan(5);
  expect(n2.content()).toBe(`create\n${much}later\nlast\n`);
});

test('a preparation that fails, or that nobody answers, only makes the hand-over longer', async () => {
  for (const failing of ['replay', 'openWriter']) {
    const { n1, n2 } = await scene();
    const much = await writeMuch(n1);
    n2.engine.gate.failNext(failing, new TroughError('ENGINE_CHILD_DIED', 'the child died'));
    await n1.handOver('n2');
    expect(n2.content(), failing).toBe(`create\n${much}`);
  }
});

test('what was prepared is nothing when the segment was shredded and begun anew meanwhile', async () => {
  const { n1, n2, cluster } = await scene();
  await writeMuch(n1);
  const lease = await cluster.leaseOf(id);
  if (lease === undefined) throw new Error('no lease');
  expect(await n2.prepare(lease)).toEqual({ prepared: true });
  await n1.holder('close', true);
  await n1.open({ epoch: 5 }, false, 'create other');
  await n1.write('new');
  await n1.handOver('n2');
  expect(n2.content()).toBe('create other\nnew\n');
});

test('a file that was prepared in vain goes after a minute', async () => {
  const { n1, n2, cluster, disk } = await scene();
  await writeMuch(n1);
  const lease = await cluster.leaseOf(id);
  if (lease === undefined) throw new Error('no lease');
  expect(await n2.prepare(lease)).toEqual({ prepared: true });
  expect(await n2.prepare(lease)).toEqual({ prepared: false });
  const files = (): string[] => [...disk.files.keys()].filter((file) => file.startsWith('/n2/'));
  expect(files()).toHaveLength(2);
  await n2.tick();
  expect(files()).toHaveLength(2);
  await cluster.clock.advance(60_001);
  await n2.tick();
  expect(files()).toEqual([]);
});

test('a node that is about to stop waits for a preparation for two seconds, and hands over all the same', async () => {
  const { n1, n2, cluster } = await scene();
  const much = await writeMuch(n1);
  const preparing = n2.engine.gate.holdNext('replay');
  const leaving = n1.leave();
  await preparing.reached;
  await cluster.clock.advance(2_000);
  await cluster.settle();
  expect(await cluster.leaseOf(id)).toMatchObject({ node: 'n2' });
  preparing.open();
  await leaving;
  expect(n2.content()).toBe(`create\n${much}`);
});
