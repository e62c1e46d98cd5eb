import { expect, test, vi } from 'vitest';
import { TroughError } from '../../../src/errors.ts';
import { code, id, journaledCluster, moveLease } from './journaled-fixture.ts';

test('a write is in the journal before it is committed and answered: with its sequence there', async () => {
  const { process, records } = journaledCluster();
  const n1 = process('n1');
  await n1.open({}, false, 'create');
  const gate = n1.engine.gate.holdNext('commit');
  expect(await n1.write('a')).toMatchObject({ sequence: 2 });
  await gate.reached;
  expect(records()).toMatchObject([
    { kind: 'claim', epoch: 1, previous: 0, creation: { sql: 'create' } },
    { kind: 'data', epoch: 1, previous: 1, writes: [{ request: { sql: 'a' }, results: [{ changes: 1 }] }] },
  ]);
  expect(n1.content()).toBe('create\n');
  gate.open();
  await n1.host.hotFile(id)?.assertCurrent();
  expect(n1.content()).toBe('create\na\n');
});

test('what was answered while its commit was on its way is in the file before anybody reads it', async () => {
  const { process } = journaledCluster();
  const n1 = process('n1');
  await n1.open();
  const gate = n1.engine.gate.holdNext('commit');
  await n1.write('a');
  let mayRead = false;
  const reading = n1.host
    .hotFile(id)
    ?.assertCurrent()
    .then(() => {
      mayRead = true;
    });
  await gate.reached;
  await Promise.resolve();
  expect(mayRead).toBe(false);
  gate.open();
  await reading;
  expect(n1.content()).toBe('a\n');
});

test('a group runs right behind the commit of the one before, and is recorded only behind it', async () => {
  const { process, kinds } = journaledCluster();
  const n1 = process('n1');
  await n1.open();
  const gate = n1.engine.gate.holdNext('commit');
  await n1.write('a');
  const second = n1.write('b');
  await gate.reached;
  await vi.waitFor(() => {
    expect(n1.engine.groups).toEqual([['a'], ['b']]);
  });
  expect(kinds()).toEqual(['claim', 'data']);
  gate.open();
  expect(await second).toMatchObject({ sequence: 3 });
  await n1.host.hotFile(id)?.assertCurrent();
  expect(n1.content()).toBe('a\nb\n');
});

test('when a commit fails behind its answer, what ran behind it is refused, a read waits for the journal, and nothing is lost or doubled', async () => {
  const { process, cluster, kinds } = journaledCluster();
  const n1 = process('n1');
  await n1.open();
  const gate = n1.engine.gate.holdNext('commit');
  n1.engine.gate.failNext('commit', new TroughError('SQL_FAILED', 'database or disk is full'));
  await n1.write('a');
  const second = n1.write('b');
  const reading = n1.host.hotFile(id)?.assertCurrent();
  await gate.reached;
  gate.open();
  await expect(second).rejects.toEqual(code('NODE_UNAVAILABLE'));
  await expect(reading).rejects.toEqual(code('NODE_UNAVAILABLE'));
  expect(n1.host.hotFile(id)).toBeUndefined();
  await cluster.settle();
  expect(n1.content()).toBe('a\n');
  expect(kinds().filter((kind) => kind === 'data')).toHaveLength(1);
  await n1.write('b');
  await n1.host.hotFile(id)?.assertCurrent();
  expect(n1.content()).toBe('a\nb\n');
});

test('a promote that is asked for after an answer has that write, though its commit is still on its way', async () => {
  const { process, cold } = journaledCluster();
  const n1 = process('n1');
  await n1.open();
  const gate = n1.engine.gate.holdNext('commit');
  await n1.write('a');
  const promoting = n1.holder('promote');
  await gate.reached;
  gate.open();
  await promoting;
  expect(cold.content(id)).toBe('a\n');
});

test('a holder whom the leader confirms no more answers nothing strongly once another has its lease', async () => {
  const { process, cluster } = journaledCluster();
  const n1 = process('n1', 'n1-1', { confirmed: () => false });
  await n1.open();
  await n1.write('a');
  await n1.host.hotFile(id)?.assertCurrent();
  await cluster.lease(id, await moveLease(cluster, 'n2'));
  await expect(n1.host.hotFile(id)?.assertCurrent()).rejects.toEqual(code('SEGMENT_NOT_WRITABLE'));
});

test('a shred that cannot change the lease acknowledges nothing behind its record', async () => {
  const { process, cluster, kinds } = journaledCluster();
  const n1 = process('n1');
  await n1.open();
  await n1.write('a');
  const update = vi
    .spyOn(cluster.store, 'update')
    .mockRejectedValueOnce(new TroughError('METADATA_UNREACHABLE', 'away'));
  await expect(n1.holder('close', true)).rejects.toEqual(code('METADATA_UNREACHABLE'));
  update.mockRestore();
  await n1.write('b').catch(() => undefined);
  await cluster.settle();
  expect(kinds().slice(kinds().lastIndexOf('shredded') + 1)[0]).not.toBe('data');
  expect(n1.content()).not.toContain('a\n');
});
