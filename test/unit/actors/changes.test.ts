import { expect, test } from 'vitest';
import { ChangeFeed } from '../../../src/actors/changes/change-feed.ts';
import { SegmentChain } from '../../../src/actors/writer/segment-chain.ts';
import { nameMatcher } from '../../../src/engine/name-matcher.ts';
import { TroughError } from '../../../src/errors.ts';
import { ChangesAnswer } from '../../../src/messages/changes.ts';
import { formatExactJson } from '../../../src/model/exact-json.ts';
import { changesScene, told } from './changes-fixture.ts';
import { code, id, moveLease } from './journaled-fixture.ts';

test('what was committed comes in order, with what it did and when, and only that', async () => {
  const { process, ask } = changesScene();
  const writer = process('n1');
  await writer.open();
  const first = await writer.write('a');
  const [second, third] = await Promise.all([writer.write('b', 'req-b'), writer.write('c; d')]);
  const { changes, next, more } = await ask({ since: '0' });
  expect(told(changes)).toEqual(['(created)', 'a', 'b', 'c', 'd']);
  expect(changes[0]).toMatchObject({ kind: 'created', schema: 'default', sql: '' });
  expect(changes[1]).toMatchObject({ segment: id, sequence: first.sequence, index: 0, at: '2023-11-14T22:13:20.000Z' });
  expect(second.sequence).toBe(third.sequence);
  expect(changes.slice(2)).toMatchObject([
    { sequence: second.sequence, index: 0, requestId: 'req-b' },
    { sequence: second.sequence, index: 1 },
  ]);
  expect(more).toBe(false);
  expect((await ask({ since: next })).changes).toEqual([]);
  expect(told((await ask({ since: String(first.sequence) })).changes)).toEqual(['b', 'c', 'd']);
  const shown = JSON.parse(formatExactJson({ changes, next, more })) as unknown;
  expect(ChangesAnswer.parse(shown)).toEqual(shown);
});

test('a write that was refused by the journal, or failed, is never shown', async () => {
  let isFull = false;
  const { process, follow } = changesScene();
  const fate = (leg: { call: string; way: string }) =>
    isFull && leg.call === 'append' && leg.way === 'there'
      ? { error: new TroughError('JOURNAL_FULL', 'full') }
      : undefined;
  const writer = process('n1', 'n1-1', { fate });
  await writer.open();
  await writer.write('kept');
  isFull = true;
  await expect(writer.write('refused')).rejects.toEqual(code('JOURNAL_FULL'));
  isFull = false;
  await writer.write('later');
  expect(told(await follow('0'))).toEqual(['(created)', 'kept', 'later']);
});

test('it goes on over a take-over as if nothing had been, and what a holder that was overtaken still sends is not shown', async () => {
  const { process, cluster, follow, ask } = changesScene();
  const [first, second] = [process('n1'), process('n2')];
  await first.open();
  await first.write('a');
  const { next } = await ask({ since: '0' });
  const lease = await moveLease(cluster, 'n2');
  await second.openAs(lease, await cluster.lease(id, lease));
  await expect(first.write('late')).rejects.toBeDefined();
  await second.write('b');
  expect(told(await follow(next))).toEqual(['b']);
  expect(told(await follow('0'))).toEqual(['(created)', 'a', 'b']);
});

test('a record whose writer was told that nobody knows is shown when it landed: the next holder has it too', async () => {
  const { process, cluster, follow } = changesScene();
  let isCut = false;
  const first = process('n1', 'n1-1', {
    writeDeadlineMs: 50,
    fate: ({ call, way }) => (isCut && call === 'append' && way === 'back' ? { lost: true } : undefined),
  });
  await first.open();
  isCut = true;
  const unsure = expect(first.write('landed')).rejects.toEqual(code('WRITE_OUTCOME_UNKNOWN'));
  await cluster.clock.advance(2_000);
  await unsure;
  expect(told(await follow('0'))).toEqual(['(created)', 'landed']);
});

test('pages are bounded, and together they are everything once', async () => {
  const { process, ask, follow } = changesScene({ pageBytes: 600 });
  const writer = process('n1');
  await writer.open();
  const all = Array.from({ length: 20 }, (_, number) => `w${String(number)}`);
  for (const sql of all) await writer.write(sql);
  const page = await ask({ since: '0' });
  expect(page.more).toBe(true);
  expect(page.changes.length).toBeLessThan(10);
  expect(told(await follow('0'))).toEqual(['(created)', ...all]);
});

test('without a position it is from now on', async () => {
  const { process, ask } = changesScene();
  const writer = process('n1');
  await writer.open();
  await writer.write('before');
  const { changes, next } = await ask();
  expect(changes).toEqual([]);
  await writer.write('after');
  expect(told((await ask({ since: next })).changes)).toEqual(['after']);
});

test('one who waits is answered when something is written, and with nothing when the time is over', async () => {
  const { process, cluster, ask } = changesScene();
  const writer = process('n1');
  await writer.open();
  const waiting = ask({ waitMs: 10_000 });
  await cluster.clock.advance(5_000);
  await writer.write('news');
  await cluster.clock.advance(1_000);
  expect(told((await waiting).changes)).toEqual(['news']);
  const vain = ask({ since: (await waiting).next, waitMs: 10_000 });
  await cluster.clock.advance(10_000);
  expect(await vain).toMatchObject({ changes: [], next: (await waiting).next });
});

test('what a promote took out of the journal is told exactly, with the version to start from', async () => {
  const { process, cluster, follow, ask } = changesScene();
  const writer = process('n1');
  await writer.open();
  await writer.write('a');
  const { sequence } = await writer.write('b');
  const { published } = await writer.holder('promote');
  await writer.write('c');
  await cluster.clock.advance(130_000);
  await writer.tick();
  const [gap, ...rest] = await follow('1');
  expect(gap).toMatchObject({
    ...{ kind: 'gap', segment: id, after: 1, through: sequence - 1, reason: 'purged' },
    start: { version: published?.version, sha256: published?.sha256 },
  });
  expect(told(rest)).toEqual(['b', 'c']);
  const since = gap?.kind === 'gap' ? (gap.start?.since ?? '') : '';
  expect(since).toMatch(new RegExp(`^${String(sequence)}-`));
  expect(told(await follow(since))).toEqual(['c']);
  // Nothing is missing for one who had come so far.
  expect((await ask({ since: String(sequence) })).changes).toMatchObject([{ kind: 'write' }]);
});

test('a segment that was released and provisioned again goes on in the same order', async () => {
  const { process, cluster, follow, ask } = changesScene();
  const writer = process('n1');
  await writer.open();
  await writer.write('a');
  const { next } = await ask({ since: '0' });
  await writer.holder('close');
  const released = await cluster.leaseOf(id);
  expect(await ask({ since: next })).toMatchObject({ changes: [] });
  await writer.open({ ...released, state: 'held', epoch: 2 }, true);
  await writer.write('b');
  expect(told(await follow(next))).toEqual(['(based)', 'b']);
  await cluster.clock.advance(130_000);
  await writer.tick();
  expect(told(await follow(next))).toEqual(['(gap)', '(based)', 'b']);
});

test('a segment that was shredded ends with that, and is unknown to who asks later', async () => {
  const { process, cluster, ask } = changesScene();
  const writer = process('n1');
  await writer.open();
  await writer.write('a');
  const { next } = await ask({ since: '0' });
  await writer.holder('close', true);
  const end = await ask({ since: next, waitMs: 5_000 });
  expect(told(end.changes)).toEqual(['(shredded)']);
  await expect(ask({ since: end.next })).rejects.toEqual(code('SEGMENT_UNKNOWN'));
  await expect(ask()).rejects.toEqual(code('SEGMENT_UNKNOWN'));
  expect((await cluster.leaseOf(id))?.state).toBe('shredded');
});

test('a stream that was lost and made anew is told, though its sequences have grown beyond the old ones', async () => {
  const { process, cluster, server, ask } = changesScene();
  const writer = process('n1');
  await writer.open();
  await writer.write('a');
  const { next } = await ask({ since: '0' });
  server.lose('1');
  await cluster.lease(id, { stream: '1', epoch: 2 });
  const again = process('n1', 'n1-2');
  await again.open({ epoch: 3, session: 'n1-2' });
  for (const sql of ['x', 'y', 'z']) await again.write(sql);
  const { changes } = await ask({ since: next });
  expect(changes[0]).toMatchObject({ kind: 'gap', reason: 'journal-lost', after: 2, through: null, start: null });
  expect(told(changes)).toEqual(['(gap)', '(created)', 'x', 'y', 'z']);
});

test('a sequence that the segment has not come to is refused', async () => {
  const { process, ask } = changesScene();
  const writer = process('n1');
  await writer.open();
  await writer.write('a');
  await expect(ask({ since: '3' })).rejects.toEqual(code('FEED_AHEAD'));
  await expect(ask({ since: 'soon' })).rejects.toEqual(code('REQUEST_INVALID'));
  await expect(ask({ of: { matching: '.' }, since: '1:9' })).rejects.toEqual(code('FEED_AHEAD'));
});

test('a segment that is not there, or has no journal, is told apart', async () => {
  const { cluster, cold, ask } = changesScene();
  await expect(ask()).rejects.toEqual(code('SEGMENT_UNKNOWN'));
  cold.put(id, 'content');
  await expect(ask()).rejects.toEqual(code('FEED_NO_JOURNAL'));
  await cluster.lease(id, { stream: null });
  await expect(ask()).rejects.toEqual(code('FEED_NO_JOURNAL'));
});

test('a node that runs without a journal sends its asker to another, or says that there is nothing', async () => {
  const { cluster, cold } = changesScene();
  const { clock, view, store } = cluster;
  const feed = new ChangeFeed({ clock, view, store, cold, pattern: nameMatcher, mostOpen: 1, pageBytes: 1 });
  const request = { of: { segment: id }, waitMs: 0 };
  const ask = (): Promise<void> => feed.read(request, () => Promise.resolve(), new AbortController().signal);
  await cluster.lease(id, { stream: '1' });
  await expect(ask()).rejects.toEqual(code('NODE_UNAVAILABLE'));
  await cluster.lease(id, { stream: null });
  await expect(ask()).rejects.toEqual(code('FEED_NO_JOURNAL'));
});

test('only so many wait at a time, and all of them are sent elsewhere when the node stops', async () => {
  const { process, feed, ask } = changesScene({ mostOpen: 2 });
  await process('n1').open();
  const gone = new AbortController();
  const leaving = expect(ask({ waitMs: 10_000 }, gone.signal)).rejects.toBeDefined();
  const waiting = expect(ask({ waitMs: 10_000 })).rejects.toEqual(code('STOPPING'));
  await expect(ask()).rejects.toEqual(code('FEED_FULL'));
  expect(feed.openCount).toBe(2);
  gone.abort();
  await leaving;
  expect(feed.openCount).toBe(1);
  feed.stop();
  await waiting;
  await expect(ask()).rejects.toEqual(code('STOPPING'));
  expect(feed.openCount).toBe(0);
});

test('many segments are followed at once, those made later too, each in its order', async () => {
  const { server, journal, cluster, ask, follow } = changesScene({ pageBytes: 2_000 });
  const chainOf = (name: string) =>
    SegmentChain.claim(
      {
        ...{ journal, key: { stream: '1', name }, epoch: 1, clock: cluster.clock, seed: () => 'x' },
        self: { node: 'n1', session: 'n1-1' },
      },
      { creation: { schema: 'default', sql: '', timeMs: 0, seed: '' } },
    );
  const write = (chain: Awaited<ReturnType<typeof chainOf>>, sql: string): Promise<number> => {
    const request = { kind: 'script', sql } as const;
    const writes = [{ requestId: '', timeMs: 0, seed: '', request, results: [{ changes: 1, lastInsertRowid: 1n }] }];
    return chain.append({ kind: 'data', applicationId: 0, sqliteVersion: '3', writes });
  };
  const [a, b, other] = [await chainOf('day-1'), await chainOf('day-2'), await chainOf('week-1')];
  const of = { matching: '^day' };
  const { next } = await ask({ of });
  expect(next).toMatch(/^1:3-[0-9a-f]{8}$/);
  for (let round = 0; round < 5; round += 1) {
    for (const [chain, name] of [
      [a, 'a'],
      [other, 'o'],
      [b, 'b'],
    ] as const)
      await write(chain, `${name}${String(round)}`);
  }
  const late = await chainOf('day-3');
  await write(late, 'late');
  const all = await follow(next, of);
  expect(told(all)).toEqual(['a0', 'b0', 'a1', 'b1', 'a2', 'b2', 'a3', 'b3', 'a4', 'b4', '(created)', 'late']);
  server.purge({ stream: '1', name: 'day-2' }, b.last);
  const [gap] = (await follow(next, of)).filter(({ kind }) => kind === 'gap');
  expect(gap).toMatchObject({ segment: 'day-2', after: 3, start: null });
  expect(told(await follow('0', { matching: '^week' }))).toEqual(['(created)', 'o0', 'o1', 'o2', 'o3', 'o4']);
  await expect(ask({ of: { matching: '(' } })).rejects.toEqual(code('REQUEST_INVALID'));
});

test('one who waits for many is woken by any of them', async () => {
  const { process, cluster, ask } = changesScene();
  const writer = process('n1');
  await writer.open();
  const waiting = ask({ of: { matching: '^s$' }, waitMs: 20_000 });
  await cluster.clock.advance(1_000);
  await writer.write('news');
  await cluster.clock.advance(1_000);
  expect(told((await waiting).changes)).toEqual(['news']);
});
