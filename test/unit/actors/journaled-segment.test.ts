import { expect, test, vi } from 'vitest';
import { TroughError } from '../../../src/errors.ts';
import { type JournalLeg } from '../../../src/journal/memory-journal.ts';
import { code, id, journaledCluster, moveLease } from './journaled-fixture.ts';

test('a request that failed is not in the record, and a group in which all fail makes none', async () => {
  const { process, records } = journaledCluster();
  const n1 = process('n1');
  await n1.open();
  await Promise.allSettled([n1.write('bad'), n1.write('a')]);
  await n1.write('bad').catch(() => undefined);
  expect(records().slice(1)).toMatchObject([{ kind: 'data', writes: [{ request: { sql: 'a' } }] }]);
});

test('another node that takes the lease over has every acknowledged write, made from the schema', async () => {
  const { process, cluster, kinds } = journaledCluster();
  const [n1, n2] = [process('n1'), process('n2')];
  await n1.open({}, false, 'create');
  await n1.write('a');
  await n1.write('b');
  expect(await n2.open(await moveLease(cluster, 'n2'), true)).toMatchObject({ created: true });
  expect(n2.content()).toBe('create\na\nb\n');
  await n2.write('c');
  expect(n2.content()).toBe('create\na\nb\nc\n');
  expect(kinds()).toEqual(['claim', 'data', 'data', 'claim', 'data']);
});

test('the one that was taken over from acknowledges nothing any more and closes', async () => {
  const { process, cluster } = journaledCluster();
  const [n1, n2] = [process('n1'), process('n2')];
  await n1.open();
  await n1.write('a');
  await n2.open(await moveLease(cluster, 'n2'), true);
  await expect(n1.write('late')).rejects.toEqual(code('NODE_UNAVAILABLE'));
  await cluster.settle();
  expect(n1.host.hotFile(id)).toBeUndefined();
  await n2.write('b');
  expect(n2.content()).toBe('a\nb\n');
});

test('a record that lands between the look at the journal and the claim is not lost', async () => {
  const { process, cluster } = journaledCluster();
  const n1 = process('n1');
  const held = Promise.withResolvers<undefined>();
  const n2 = process('n2', 'n2-1', {
    fate: ({ call, way, attempt }: JournalLeg) => {
      if (call === 'append' && way === 'there' && attempt === 1) held.resolve(undefined);
      return call === 'append' ? { delayMs: 100 } : undefined;
    },
  });
  await n1.open();
  await n1.write('a');
  const opening = n2.open(await moveLease(cluster, 'n2'), true);
  await held.promise;
  await n1.write('b');
  await cluster.clock.advance(1_000);
  await opening;
  expect(n2.content()).toBe('a\nb\n');
});

test('a lost answer of the journal makes a write neither lost nor doubled', async () => {
  const { process, cluster, kinds } = journaledCluster();
  const losing = { on: false };
  const n1 = process('n1', 'n1-1', {
    fate: ({ call, way, attempt }: JournalLeg) =>
      losing.on && call === 'append' && way === 'back' && attempt === 1 ? { lost: true } : undefined,
  });
  await n1.open();
  losing.on = true;
  const writing = n1.write('a');
  await cluster.clock.advance(600);
  await writing;
  expect(n1.content()).toBe('a\n');
  expect(kinds()).toEqual(['claim', 'data']);
});

test('a write whose fate the journal does not tell in time is neither a success nor a failure, and the segment is opened by what the journal has', async () => {
  const { process, cluster } = journaledCluster();
  const losing = { on: false };
  const n1 = process('n1', 'n1-1', {
    fate: ({ call, way, id: record }: JournalLeg) =>
      losing.on && call === 'append' && way === 'back' && record?.startsWith('1-') === true
        ? { lost: true }
        : undefined,
  });
  await n1.open();
  losing.on = true;
  const writing = n1.write('landed').catch((error: unknown) => error);
  await cluster.settle();
  const waiting = n1.write('behind it').catch((error: unknown) => error);
  await cluster.clock.advance(1_100);
  expect(await writing).toEqual(code('WRITE_OUTCOME_UNKNOWN'));
  expect(await waiting).toMatchObject({ code: expect.stringMatching(/NODE_UNAVAILABLE|ENGINE_DEADLINE/) as unknown });
  await cluster.clock.advance(100);
  await n1.write('b');
  expect(n1.content()).toBe('landed\nb\n');
  expect(await cluster.leaseOf(id)).toMatchObject({ node: 'n1', epoch: 2 });
});

test('a journal without room answers busy, keeps nothing, and the segment is promoted soon', async () => {
  const { process, cluster, server } = journaledCluster();
  const asked: string[] = [];
  const n1 = process('n1', 'n1-1', {
    leader: { promote: (segment) => Promise.resolve(asked.push(segment)), release: () => Promise.resolve() },
  });
  await n1.open();
  await n1.write('a');
  server.setLimit(1_000);
  await expect(n1.write('b')).rejects.toEqual(code('JOURNAL_FULL'));
  expect(n1.content()).toBe('a\n');
  await n1.tick();
  expect(asked).toEqual(['s']);
  server.setLimit(1_000_000);
  await n1.write('c');
  expect(n1.content()).toBe('a\nc\n');
  await cluster.settle();
});

test('what no record can hold is refused before it runs', async () => {
  const { process } = journaledCluster();
  const n1 = process('n1');
  await n1.open();
  await expect(n1.write('x'.repeat(2 * 1024 * 1024))).rejects.toEqual(code('JOURNAL_TOO_LARGE'));
  // Line breaks take two bytes each in a record.
  await expect(n1.write('\n'.repeat(700 * 1024))).rejects.toMatchObject({
    code: 'JOURNAL_TOO_LARGE',
    kind: 'large',
    message: expect.stringContaining('max_payload') as unknown,
    context: { bytes: 2 * 700 * 1024 + 2, limitBytes: n1.journal.recordLimitBytes },
  });
  expect(n1.engine.groups).toEqual([]);
  const large = ['a', 'b', 'c'].map((sql) => n1.write(sql + 'x'.repeat(400_000)));
  await Promise.all(large);
  expect(n1.engine.groups.map((group) => group.length)).toEqual([1, 1, 1]);
});

test('a node that is cut off refuses writes before they run, after a moment in which the connection may come back', async () => {
  const { process, cluster } = journaledCluster();
  const connected = { now: true };
  const n1 = process('n1', 'n1-1', { isConnected: () => connected.now });
  await n1.open();
  connected.now = false;
  const brief = n1.write('a');
  await cluster.clock.advance(500);
  connected.now = true;
  await cluster.clock.advance(100);
  expect(await brief).toMatchObject({ node: 'n1' });
  connected.now = false;
  const refused = expect(n1.write('b')).rejects.toEqual(code('JOURNAL_UNREACHABLE'));
  await cluster.clock.advance(3_000);
  await refused;
  expect(n1.engine.groups).toEqual([['a']]);
});

test('on a full disk a write is refused before it is kept anywhere, and the segment goes on being read and written when there is room', async () => {
  const { process, cluster, disk, records } = journaledCluster();
  const n1 = process('n1');
  await n1.open();
  await n1.write('a');
  const space = vi.spyOn(disk, 'space').mockResolvedValue({ totalBytes: 1_000_000, freeBytes: 19_999 });
  await cluster.clock.advance(200);
  await expect(n1.write('b')).rejects.toEqual(code('DISK_FULL'));
  expect(records()).toHaveLength(2);
  expect(n1.host.hotFile(id)).toBeDefined();
  space.mockRestore();
  await n1.write('c');
  expect(n1.content()).toBe('a\nc\n');
});

test('a child that dies once the record has left costs no write: the segment is opened again from the journal before it is read', async () => {
  const { process, cluster } = journaledCluster();
  const n1 = process('n1');
  await n1.open();
  await n1.write('a');
  expect(await n1.write('crash at commit')).toMatchObject({ sequence: 3 });
  await expect(n1.host.hotFile(id)?.assertCurrent()).rejects.toEqual(code('NODE_UNAVAILABLE'));
  expect(n1.host.hotFile(id)).toBeUndefined();
  await cluster.settle();
  expect(n1.content()).toBe('a\ncrash at commit\n');
  expect(n1.host.hotFile(id)).toBeDefined();
  await n1.write('b');
  expect(n1.content()).toBe('a\ncrash at commit\nb\n');
});

test('a child that dies before the record has left costs nothing', async () => {
  const { process, cluster } = journaledCluster();
  const n1 = process('n1');
  await n1.open();
  const results = await Promise.allSettled([n1.write('a'), n1.write('crash'), n1.write('c')]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(n1.content()).toBe('a\nc\n');
  expect(await cluster.leaseOf(id)).toMatchObject({ epoch: 1 });
});

test('a lease that is too old to claim the journal is raised, when it is still ours', async () => {
  const { process, cluster } = journaledCluster();
  const n1 = process('n1');
  await n1.open({ epoch: 7 });
  await n1.write('a');
  await n1.host.stop();
  const again = process('n1', 'n1-2');
  await again.open({ epoch: 3 }, true);
  expect(await cluster.leaseOf(id)).toMatchObject({ epoch: 8, session: 'n1-2' });
  await again.write('b');
  expect(again.content()).toBe('a\nb\n');
});

test('a claimant whose lease has gone to another meanwhile stops', async () => {
  const { process, cluster } = journaledCluster();
  const [n1, n2, n3] = [process('n1'), process('n2'), process('n3')];
  await n1.open();
  const slow = await moveLease(cluster, 'n2');
  await n3.open({ ...(await moveLease(cluster, 'n3')), epoch: 3 }, true);
  await n3.write('a');
  await expect(n2.openAs(slow)).rejects.toEqual(code('METADATA_CONFLICT'));
  await n3.write('b');
  expect(n3.content()).toBe('a\nb\n');
});

test('a segment with much in the journal is promoted before it is old enough, once', async () => {
  const { process } = journaledCluster();
  const asked: string[] = [];
  const n1 = process('n1', 'n1-1', {
    promoteBytes: 2_000,
    leader: { promote: (segment) => Promise.resolve(asked.push(segment)), release: () => Promise.resolve() },
  });
  await n1.open();
  await n1.write('a');
  await n1.tick();
  expect(asked).toEqual([]);
  await n1.write('b'.repeat(2_000));
  await n1.tick();
  expect(asked).toEqual(['s']);
  await n1.holder('promote');
  await n1.tick();
  expect(asked).toEqual(['s']);
});

test('a segment that could not be opened for a lease that stays here is opened by the node itself soon', async () => {
  const { process, cluster, cold } = journaledCluster();
  const [n1, n2] = [process('n1'), process('n2')];
  await n1.open();
  await n1.write('a');
  cold.gate.failNext('discard', new TroughError('COLD_FAILED', 'down'));
  await expect(n2.open(await moveLease(cluster, 'n2'), true)).rejects.toEqual(code('COLD_FAILED'));
  await n2.tick();
  await cluster.settle();
  await n2.write('b');
  expect(n2.content()).toBe('a\nb\n');
});

test('a segment that cannot be opened for long is tried less and less often, since each try claims the journal', async () => {
  const { process, cluster, kinds } = journaledCluster();
  const [n1, n2] = [process('n1'), process('n2')];
  await n1.open();
  await n1.write('a');
  for (let failure = 0; failure < 7; failure += 1)
    n2.engine.gate.failNext('openWriter', new TroughError('DISK_FULL', 'full'));
  await expect(n2.open(await moveLease(cluster, 'n2'), true)).rejects.toEqual(code('DISK_FULL'));
  for (let seconds = 0; seconds < 125; seconds += 5) {
    await n2.tick();
    await cluster.clock.advance(5_000);
  }
  // At 0, 0, 5, 15, 35, 65 and 95 s.
  expect(kinds().filter((kind) => kind === 'claim')).toHaveLength(1 + 7);
  await n2.tick();
  await n2.write('b');
  expect(n2.content()).toBe('a\nb\n');
});
