import { expect, test } from 'vitest';
import { type SegmentsAnswer } from '../../../src/messages/control.ts';
import { parseSegmentId } from '../../../src/model/segment-id.ts';
import { slotOf } from '../../../src/model/slot.ts';
import { type SlotSums } from '../../../src/model/slot-sums.ts';
import { TroughError } from '../../../src/errors.ts';
import { sha256Of } from '../../support/fake-cold-store.ts';
import { scene, slotsOf } from './catalogue-fixture.ts';

test('a granted segment is known at once, and has no copies to assign before it is published', async () => {
  await using at = await scene();
  await at.cluster.lease('s');
  await at.granted('s', 'warc');
  expect(await at.segments()).toEqual({
    segments: [
      {
        ...{ id: 's', slot: slotOf('s'), tier: 'hot', version: 0, sizeBytes: 0, sha256: null, schema: 'warc' },
        ...{ state: 'writable', node: 'n1' },
      },
    ],
  });
  expect(at.changes).toEqual([]);
  expect((await at.manifest(slotsOf(0, 's'))).rows).toEqual([]);
});

test('a published segment is told to its nodes and keeps its schema', async () => {
  await using at = await scene();
  await at.granted('s', 'warc');
  await at.published('s', { version: 71, sizeBytes: 9 });
  const row = { id: 's', version: 71, sizeBytes: 9, sha256: 'ab' };
  expect(at.changes).toEqual([{ ...row, copies: 2, tier: 'hot' }]);
  const segment = await at.asking((reply) => ({ kind: 'segment', segment: parseSegmentId('s'), reply }));
  expect(segment).toMatchObject({ ...row, schema: 'warc', state: 'read-only' });
  expect((await at.manifest(slotsOf(1, 's'))).rows).toEqual([row]);
});

test('a removed segment is gone, and one that was never there is undefined', async () => {
  await using at = await scene();
  await at.published('s');
  const segment = parseSegmentId('s');
  const removed: Promise<void> = at.asking((reply) => ({ kind: 'removed', segment, reply }));
  await removed;
  expect(await at.asking((reply) => ({ kind: 'segment', segment, reply }))).toBeUndefined();
});

test('a scan finds what others put into cold storage, once', async () => {
  await using at = await scene();
  for (let index = 0; index < 1_200; index += 1) at.cold.put(`s${String(index)}`, 'rows', 70);
  at.cold.put('42', 'archived', 70);
  await at.scan();
  expect(at.changes).toHaveLength(1_201);
  expect(at.changes.find(({ id }) => id === '42')).toMatchObject({ tier: 'cold', version: 70 });
  const sums = await at.asking<SlotSums>((reply) => ({ kind: 'sums', reply }));
  expect([sums.of('hot').segments, sums.of('cold').segments]).toEqual([1_200, 1]);
  at.changes.splice(0);
  await at.scan();
  at.restart();
  await at.scan();
  expect(at.changes).toEqual([]);
});

test('a file that another replaced is a newer version, also when its time is older', async () => {
  await using at = await scene();
  at.cold.put('s', 'rows', 70);
  await at.scan();
  at.cold.put('s', 'other rows', 60);
  await at.scan();
  expect(at.changes).toMatchObject([
    { version: 70, sizeBytes: 4, sha256: null },
    { version: 71, sizeBytes: 10, sha256: null },
  ]);
});

test('a file that a lease knows has the lease’s version and checksum', async () => {
  await using at = await scene();
  at.cold.put('s', 'rows', 70);
  await at.cluster.lease('s', {
    state: 'released',
    version: 75,
    sha256: sha256Of('rows'),
    sizeBytes: 4,
    schema: 'warc',
  });
  await at.scan();
  expect(at.changes).toMatchObject([{ version: 75, sha256: sha256Of('rows') }]);
  expect((await at.segments()).segments).toMatchObject([{ schema: 'warc' }]);
});

test('a shredded segment does not come back from a file that is still there', async () => {
  await using at = await scene();
  at.cold.put('s', 'rows', 70);
  await at.cluster.lease('s', { state: 'shredded' });
  await at.scan();
  expect(await at.segments()).toEqual({ segments: [] });
});

test('a segment that vanishes from cold storage is reported and kept, and named to its nodes, which have it from each other', async () => {
  await using at = await scene();
  at.cold.put('s', 'rows', 70);
  await at.scan();
  at.cold.lose('s');
  await at.scan();
  expect(at.lines.filter(({ level }) => level === 40)).toMatchObject([{ segment: 's' }]);
  expect((await at.segments()).segments).toHaveLength(1);
  expect((await at.manifest(slotsOf(0, 's'))).rows).toHaveLength(1);
  at.cold.put('s', 'rows', 90);
  await at.scan();
  expect((await at.manifest(slotsOf(0, 's'))).rows).toHaveLength(1);
});

test('a file that was away for a while and is back as it was is assigned again', async () => {
  await using at = await scene();
  at.cold.put('s', 'rows', 70);
  await at.scan();
  at.cold.lose('s');
  await at.scan();
  at.cold.put('s', 'rows', 70);
  at.changes.splice(0);
  await at.scan();
  expect(at.changes).toMatchObject([{ id: 's', copies: 2 }]);
});

test('a segment that vanished while nobody looked is noticed by a complete listing', async () => {
  await using at = await scene();
  at.cold.put('s', 'rows', 70);
  at.cold.put('t', 'rows', 70);
  await at.scan();
  at.cold.lose('s');
  at.cold.put('unrelated', 'a listing of its own', 70);
  at.restart();
  await at.scan();
  expect(await at.sql('select id from segments where vanished = 1')).toEqual([['s']]);
});

test('cold storage that cannot be listed is tried again, and what was known stays', async () => {
  await using at = await scene();
  await at.published('s');
  at.cold.gate.failNext('list', new TroughError('COLD_FAILED', 'down'));
  await at.scan();
  expect(at.lines.map(({ level }) => level)).toEqual([40]);
  expect((await at.segments()).segments).toHaveLength(1);
  at.restart();
  at.cold.put('t', 'rows', 70);
  await at.scan();
  expect((await at.segments()).segments).toHaveLength(2);
});

test('segments come in pages, in the order of their ids, matching and of a tier', async () => {
  await using at = await scene();
  for (const id of ['b', 'a', 'ab', '7', 'Z', 'é']) await at.published(id);
  const ids = ({ segments }: SegmentsAnswer): string[] => segments.map(({ id }) => id);
  expect(ids(await at.segments())).toEqual(['7', 'Z', 'a', 'ab', 'b', 'é']);
  const first = await at.segments({ limit: 2 });
  expect(ids(first)).toEqual(['7', 'Z']);
  expect(ids(await at.segments({ limit: 2, after: first.next }))).toEqual(['a', 'ab']);
  expect(ids(await at.segments({ matching: '^a' }))).toEqual(['a', 'ab']);
  expect(ids(await at.segments({ tier: 'cold' }))).toEqual(['7']);
  expect(ids(await at.segments({ tier: 'hot', after: 'ab' }))).toEqual(['b', 'é']);
  await expect(at.segments({ matching: '(' })).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
});

test('a manifest names the hot segments of a slot that have more copies than the rank, in pages', async () => {
  await using at = await scene();
  const ids = ['a', 'b', 'c', 'one-1', 'one-2'];
  for (const id of [...ids, '7']) await at.published(id);
  const slots = slotsOf(0, ...ids, '7');
  const bySlot = ids.toSorted((x, y) => slotOf(x) - slotOf(y));
  expect((await at.manifest(slots)).rows.map(({ id }) => id)).toEqual(bySlot);
  const seconds = (await at.manifest(slotsOf(1, ...ids, '7'))).rows.map(({ id }) => id);
  expect(seconds).toEqual(bySlot.filter((id) => !id.startsWith('one-')));
  const pages: string[] = [];
  let after: string | undefined;
  do {
    const page = await at.manifest(slots, after, 2);
    pages.push(...page.rows.map(({ id }) => id));
    after = page.next;
  } while (after !== undefined);
  expect(pages).toEqual(bySlot);
});

test('who comes to lead takes in what is open for writing, and forgets what was shredded meanwhile', async () => {
  await using at = await scene();
  await at.granted('never-published');
  await at.cluster.lease('never-published', { state: 'shredded' });
  await at.cluster.lease('open', { schema: 'warc' });
  await at.adopt();
  expect((await at.segments()).segments).toMatchObject([{ id: 'open', schema: 'warc', state: 'writable' }]);
});

test('the sums by slot follow every change: new, grown, of another tier, removed', async () => {
  await using at = await scene();
  const sums = (): Promise<SlotSums> => at.asking<SlotSums>((reply) => ({ kind: 'sums', reply }));
  await at.published('a', { sizeBytes: 10 });
  await at.published('one-b', { sizeBytes: 100 });
  await at.published('7', { sizeBytes: 1_000 });
  await at.published('a', { sizeBytes: 30, version: 9 });
  const first = await sums();
  expect([first.of('hot'), first.of('cold')]).toEqual([
    { segments: 2, bytes: 130 },
    { segments: 1, bytes: 1_000 },
  ]);
  const [rank0, rank1, rank2] = first.bytesByRank(3);
  expect([rank0?.[slotOf('a')], rank1?.[slotOf('a')], rank2?.[slotOf('a')]]).toEqual([30, 30, 0]);
  expect([rank0?.[slotOf('one-b')], rank1?.[slotOf('one-b')]]).toEqual([100, 0]);
  expect(first.copiesByRank(1)[0]?.[slotOf('7')]).toBe(0);
  await at.asking((reply) => ({ kind: 'removed', segment: parseSegmentId('a'), reply }));
  expect((await sums()).of('hot')).toEqual({ segments: 1, bytes: 100 });
});
