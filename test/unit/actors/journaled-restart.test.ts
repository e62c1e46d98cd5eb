import { expect, test } from 'vitest';
import { shredJournal } from '../../../src/actors/leader/journal-shredder.ts';
import { LeaseShredder } from '../../../src/actors/leader/lease-shredder.ts';
import { LeaseStore } from '../../../src/actors/shared/lease-store.ts';
import { TroughError } from '../../../src/errors.ts';
import { sha256Of } from '../../support/fake-cold-store.ts';
import { appliedMark } from '../../../src/model/applied-mark.ts';
import { dataPaths } from '../../../src/model/paths.ts';
import { leaseDocument } from '../../support/fake-cluster.ts';
import { FakeNodes } from '../../support/fake-nodes.ts';
import { recordingLog } from '../../support/recording-log.ts';
import { withMark } from '../../support/marked-content.ts';
import { code, id, journaledCluster, moveLease } from './journaled-fixture.ts';

/** n1 has written 'a', and its upload waits for its rename. */
async function inMidPromote({ process, cold }: Pick<ReturnType<typeof journaledCluster>, 'process' | 'cold'>) {
  const n1 = process('n1');
  await n1.open();
  await n1.write('a');
  const gate = cold.gate.holdNext('rename');
  const promote = n1.holder('promote').catch((error: unknown) => error);
  await gate.reached;
  return { n1, gate, promote };
}

test('after a restart a segment goes on from its own file, and only what is missing there is run', async () => {
  const { process, cluster } = journaledCluster();
  const n1 = process('n1');
  await n1.open();
  await n1.write('a');
  const again = process('n1', 'n1-2');
  await again.reclaim();
  expect(again.content()).toBe('a\n');
  expect(await cluster.leaseOf(id)).toMatchObject({ session: 'n1-2', epoch: 2 });
  await again.write('b');
  expect(again.content()).toBe('a\nb\n');
  expect(again.engine.opened.every(({ schemaSql }) => schemaSql === undefined)).toBe(true);
});

test('writes that the machine lost from its file although they were acknowledged are run again', async () => {
  const { process, disk } = journaledCluster();
  const n1 = process('n1');
  await n1.open({}, false, 'create');
  await n1.write('a');
  const file = n1.paths.hot(id);
  const before = disk.files.get(file) ?? '';
  await n1.write('b');
  await n1.write('c');
  disk.files.set(file, before);
  const again = process('n1', 'n1-2');
  await again.reclaim();
  expect(again.content()).toBe('create\na\nb\nc\n');
});

test('a file that is gone, or is none that the journal knows, is made anew from the journal', async () => {
  for (const spoil of ['gone', 'no note', 'unknown mark'] as const) {
    const { process, disk } = journaledCluster();
    const n1 = process('n1');
    await n1.open({}, false, 'create');
    await n1.write('a');
    const file = n1.paths.hot(id);
    if (spoil === 'gone') disk.files.delete(file);
    if (spoil === 'no note') disk.files.delete(n1.paths.hotNote(id));
    if (spoil === 'unknown mark') disk.files.set(file, withMark('other', appliedMark(77)));
    const again = process('n1', 'n1-2');
    await again.reclaim();
    expect(again.content(), spoil).toBe('create\na\n');
  }
});

test('a journal that was lost with acknowledged writes opens nothing and removes nothing', async () => {
  const { process, server, cluster } = journaledCluster();
  const n1 = process('n1');
  await n1.open();
  await n1.write('a');
  server.lose('1');
  const again = process('n1', 'n1-2');
  await again.reclaim();
  expect(again.host.openCount).toBe(0);
  expect(again.content()).toBe('a\n');
  expect(again.lines.filter(({ level }) => level === 50)).toMatchObject([{ err: { code: 'JOURNAL_LOST' } }]);
  expect(await cluster.leaseOf(id)).toMatchObject({ unpromoted: true });
});

test('a node without a journal does not open what has its writes in one', async () => {
  const { process, cluster } = journaledCluster();
  const n1 = process('n1');
  await n1.open();
  await n1.write('a');
  const n2 = process('n2', 'n2-1', { journal: undefined } as never);
  await expect(n2.open(await moveLease(cluster, 'n2'), true)).rejects.toEqual(code('NODE_UNAVAILABLE'));
  expect(n2.host.openCount).toBe(0);
});

test('a taker-over starts from the published state and runs only what came behind it', async () => {
  const { process, cluster, cold } = journaledCluster();
  const [n1, n2] = [process('n1'), process('n2')];
  await n1.open({}, false, 'create');
  await n1.write('a');
  await n1.holder('promote');
  await n1.write('b');
  expect(cold.content(id)).toBe('create\na\n');
  await cluster.clock.advance(121_000);
  await n1.tick();
  await n2.open(await moveLease(cluster, 'n2'), true);
  expect(n2.content()).toBe('create\na\nb\n');
  expect(cold.fetches).toEqual([id]);
});

test('a version is above the time of the file that it replaces, by which a listing of cold storage may have named that one', async () => {
  const { process, cluster, cold } = journaledCluster();
  const n1 = process('n1');
  await n1.open();
  await n1.write('a');
  await n1.holder('promote');
  const ahead = cluster.clock.now() + 30_000;
  cold.put(id, cold.content(id) ?? '', ahead);
  await n1.write('b');
  expect((await n1.holder('promote')).published?.version).toBeGreaterThan(ahead);
});

test('a promote that was cut off between its record and its file loses nothing, whichever file is found', async () => {
  for (const replaced of [false, true]) {
    const { process, cluster, cold, kinds } = journaledCluster();
    const [n1, n2] = [process('n1'), process('n2')];
    await n1.open();
    await n1.write('a');
    await n1.holder('promote');
    await n1.write('b');
    const gate = cold.gate.holdNext('rename');
    const promote = n1.holder('promote').catch((error: unknown) => error);
    await gate.reached;
    expect(kinds()).toEqual(['claim', 'data', 'intent', 'data', 'intent']);
    if (replaced) cold.put(id, 'a\nb\n');
    await n2.open(await moveLease(cluster, 'n2'), true);
    expect(n2.content(), String(replaced)).toBe('a\nb\n');
    await n2.write('c');
    // The one that was overtaken wakes up: its upload is gone.
    gate.open();
    expect(await promote).toBeInstanceOf(TroughError);
    expect(cold.content(id)).toBe(replaced ? 'a\nb\n' : 'a\n');
    await n2.holder('promote');
    expect(cold.content(id)).toBe('a\nb\nc\n');
  }
});

test('a holder that was overtaken while it uploaded publishes nothing', async () => {
  const { process, cluster, cold } = journaledCluster();
  const [n1, n2] = [process('n1'), process('n2')];
  await n1.open();
  await n1.write('a');
  const gate = cold.gate.holdNext('publish');
  const promote = n1.holder('promote').catch((error: unknown) => error);
  await gate.reached;
  await n2.open(await moveLease(cluster, 'n2'), true);
  gate.open();
  expect(await promote).toBeInstanceOf(TroughError);
  expect(cold.content(id)).toBeUndefined();
});

test('a holder that was overtaken in the midst of a promote publishes nothing, though the first claim behind its own took no upload away', async () => {
  const { process, cluster, cold, kinds } = journaledCluster();
  const { gate, promote } = await inMidPromote({ process, cold });
  const lease = await moveLease(cluster, 'n2');
  cold.gate.failNext('discard', new TroughError('COLD_FAILED', 'not now'));
  await expect(process('n2').open(lease, true)).rejects.toEqual(code('COLD_FAILED'));
  expect(kinds()).toEqual(['claim', 'data', 'intent', 'claim']);
  const again = process('n2', 'n2-2');
  await again.open({ ...(await moveLease(cluster, 'n2')), session: 'n2-2' }, true);
  gate.open();
  expect(await promote).toBeInstanceOf(TroughError);
  expect([cold.content(id), again.content()]).toEqual([undefined, 'a\n']);
});

test('a holder whose name another machine has taken publishes nothing any more', async () => {
  const { process, cluster, cold } = journaledCluster();
  const { gate, promote } = await inMidPromote({ process, cold });
  const other = process('n1', 'n1-2', { paths: dataPaths('/other') });
  await other.open({ ...(await moveLease(cluster, 'n1')), session: 'n1-2' }, true);
  gate.open();
  expect(await promote).toBeInstanceOf(TroughError);
  expect(cold.content(id)).toBeUndefined();
});

test('a file that somebody else put into cold storage under unpublished writes is not written over', async () => {
  const { process, cluster, cold } = journaledCluster();
  const [n1, n2] = [process('n1'), process('n2')];
  await n1.open();
  await n1.write('a');
  await n1.holder('promote');
  await n1.write('b');
  cold.put(id, 'foreign');
  await expect(n2.open(await moveLease(cluster, 'n2'), true)).rejects.toEqual(code('COLD_CHANGED'));
  expect(cold.content(id)).toBe('foreign');
  expect(n2.host.openCount).toBe(0);
});

test('a released segment goes on from whatever is in cold storage then, and every earlier file of it is forgotten', async () => {
  const { process, cluster, cold, kinds } = journaledCluster();
  const [n1, n2] = [process('n1'), process('n2')];
  await n1.open();
  await n1.write('a');
  await n1.holder('close');
  expect(kinds()).toEqual(['claim', 'data', 'intent', 'closed']);
  expect(await cluster.leaseOf(id)).toMatchObject({ state: 'released', unpromoted: false });
  cold.put(id, 'newer\n');
  await n2.open({ ...(await moveLease(cluster, 'n2')), state: 'held' }, true);
  expect(n2.content()).toBe('newer\n');
  expect(await cluster.leaseOf(id)).toMatchObject({ sha256: sha256Of('newer\n') });
  await n2.write('b');
  const n3 = process('n3');
  await n3.open(await moveLease(cluster, 'n3'), true);
  expect(n3.content()).toBe('newer\nb\n');
});

test('a shred that was cut off behind its record is not undone by whoever opens the segment again: it is gone', async () => {
  const { process, cluster, cold, server } = journaledCluster();
  const n1 = process('n1');
  await n1.open({}, false, 'create');
  await n1.write('a');
  await n1.holder('promote');
  await n1.write('b');
  const lease = await cluster.leaseOf(id);
  const journal = n1.journal;
  await shredJournal({ clock: cluster.clock, journal }, lease ?? leaseDocument(id));
  const next = process('n1', 'n1-2');
  await next.reclaim();
  expect(next.host.openCount).toBe(0);
  expect(await cluster.leaseOf(id)).toMatchObject({ state: 'shredded' });
  expect(cold.content(id)).toBe('create\na\n');
  expect(server.range({ stream: '1', name: id }, 0, Infinity, 10)).toHaveLength(1);
});

test('a holder that wakes up in the midst of a promote after its segment was shredded brings nothing back', async () => {
  const { process, cluster, cold } = journaledCluster();
  const { n1, gate, promote } = await inMidPromote({ process, cold });
  const { clock, store } = cluster;
  const away = new FakeNodes();
  away.down.add('n1');
  const shredder = new LeaseShredder({
    ...{ clock, log: recordingLog().log, cold, journal: n1.journal, nodes: away },
    leases: new LeaseStore({ store, clock }, 1_000),
    news: { shredded: () => Promise.resolve() },
  });
  await shredder.shred(id, true);
  gate.open();
  expect(await promote).toBeInstanceOf(TroughError);
  expect(cold.content(id)).toBeUndefined();
});

test('what a shred has not removed from cold storage is no beginning for what is made anew under that id, also after a restart', async () => {
  const { process, cluster, cold } = journaledCluster();
  const n1 = process('n1');
  cold.put(id, 'of before\n');
  await n1.open({ formerVersion: 7 }, false, 'create');
  const next = process('n1', 'n1-2');
  await next.reclaim();
  expect(next.content()).toBe('create\n');
  expect(await cluster.leaseOf(id)).toMatchObject({ state: 'held', version: null });
});

test('a shredded segment begins anew and has nothing of before', async () => {
  const { process, cluster, kinds } = journaledCluster();
  const n1 = process('n1');
  await n1.open({}, false, 'create');
  await n1.write('a', 'r1');
  await n1.holder('close', true);
  expect(kinds().at(-1)).toBe('shredded');
  const lease = await moveLease(cluster, 'n1');
  await n1.open({ ...lease, state: 'held', unpromoted: false }, false, 'create anew');
  expect(n1.content()).toBe('create anew\n');
  await n1.write('b', 'r1');
  expect(n1.content()).toBe('create anew\nb\n');
});
