import { expect, test } from 'vitest';
import { TroughError } from '../../../src/errors.ts';
import { keys } from '../../../src/messages/keys.ts';
import { nodesOf } from '../../../src/model/placement.ts';
import { decodePlacement } from '../../../src/model/placement-document.ts';
import { parseSegmentId } from '../../../src/model/segment-id.ts';
import { slotOf } from '../../../src/model/slot.ts';
import { hotFile, RebuildScene, rowOf } from './rebuild-fixture.ts';

test('a file of writes gives its node the lease; then the store is whole and the segment is opened', async () => {
  const scene = await RebuildScene.of('n1', 'n2');
  scene.has.set('n2', { hot: [hotFile('abc')] });
  const answer = await scene.rebuild();
  expect(answer).toMatchObject({ phase: 'done', failure: null, counts: { nodes: 2, hotFiles: 1, held: 1, opened: 1 } });
  expect(await scene.cluster.leaseOf('abc')).toMatchObject({
    state: 'held',
    node: 'n2',
    session: 'n2-1',
    unpromoted: true,
  });
  expect(scene.opened).toEqual(['abc on n2']);
  expect(await scene.documentAt(keys.cluster)).toMatchObject({
    state: 'ready',
    former: ['old'],
    rebuiltFrom: ['n1', 'n2'],
  });
});

test('a dry run tells all of that and writes nothing', async () => {
  const scene = await RebuildScene.of('n1');
  scene.has.set('n1', { hot: [hotFile('abc')] });
  const before = await scene.keys();
  expect(await scene.rebuild({ dryRun: true })).toMatchObject({ dryRun: true, counts: { held: 1, opened: 0 } });
  expect(await scene.keys()).toEqual(before);
  expect(await scene.documentAt(keys.cluster)).toMatchObject({ state: 'lost' });
});

test('where two nodes have writes of a segment nobody may write it until the operator says whose count', async () => {
  const scene = await RebuildScene.of('n1', 'n2');
  scene.has.set('n1', { hot: [hotFile('abc')] });
  scene.has.set('n2', { hot: [hotFile('abc', { modifiedMs: 2_000 })] });
  for (const run of ['first', 'again']) {
    const { findings } = await scene.rebuild({ force: true });
    const told = findings.find(({ kind }) => kind === 'two-states');
    expect([run, told?.segment, told?.why]).toEqual([run, 'abc', expect.stringContaining('--take abc=n2')]);
    expect(await scene.cluster.leaseOf('abc')).toMatchObject({ state: 'held', node: 'n1 or n2', unpromoted: true });
  }
  expect(scene.opened).toEqual([]);
  const { findings } = await scene.rebuild({ take: { abc: 'n1' } });
  expect(findings.filter(({ kind }) => kind === 'two-states')).toEqual([]);
  expect(await scene.cluster.leaseOf('abc')).toMatchObject({ state: 'held', node: 'n1', epoch: 2 });
  expect(scene.opened).toEqual(['abc on n1']);
});

test('a rebuild that is broken off leaves the store as lost; the next one ends what it began', async () => {
  const scene = await RebuildScene.of('n1', 'n2');
  scene.has.set('n1', { hot: [hotFile('abc')] });
  scene.asked = (node, what) => {
    if (node === 'n2' && what === 'copies') throw new TroughError('METADATA_UNREACHABLE', 'away');
  };
  expect((await scene.rebuild()).failure?.code).toBe('METADATA_UNREACHABLE');
  expect(await scene.documentAt(keys.cluster)).toMatchObject({ state: 'lost' });
  expect(await scene.documentAt(keys.placement)).toBeUndefined();
  const lease = await scene.cluster.leaseOf('abc');
  scene.asked = () => undefined;
  expect(await scene.rebuild()).toMatchObject({ failure: null, counts: { held: 0, opened: 1 } });
  expect(await scene.cluster.leaseOf('abc')).toEqual(lease);
  expect(await scene.documentAt(keys.cluster)).toMatchObject({ state: 'ready' });
});

test('a node that cannot be asked is told of, and is not taken for one whose data was looked through', async () => {
  const scene = await RebuildScene.of('n1', 'n2');
  scene.asked = (node) => {
    if (node === 'n2') throw new TroughError('NODE_UNAVAILABLE', 'away');
  };
  const { findings } = await scene.rebuild();
  expect(findings).toContainEqual(expect.objectContaining({ kind: 'node', node: 'n2' }));
  expect(await scene.documentAt(keys.cluster)).toMatchObject({ rebuiltFrom: ['n1'] });
});

test('the versions of the copies are those of cold storage again, by their time or by their content', async () => {
  const scene = await RebuildScene.of('n1');
  scene.rows.set('same', rowOf()).set('named-before', rowOf({ modifiedMs: 500 }));
  scene.checksums.set('named-before', 'b');
  scene.has.set('n1', {
    copies: [
      { id: 'same', version: 501, sizeBytes: 100, sha256: 'a' },
      { id: 'named-before', version: 499, sizeBytes: 100, sha256: 'b' },
    ],
  });
  await scene.rebuild();
  expect(scene.settled.map(({ id, version, sha256 }) => [id, version, sha256])).toEqual([
    ['same', 501, 'a'],
    ['named-before', 499, 'b'],
  ]);
  expect(await scene.cluster.leaseOf('same')).toBeUndefined();
});

test('a copy that is older than cold storage answers nobody, and one that is all there is is told of', async () => {
  const scene = await RebuildScene.of('n1');
  scene.rows.set('older', rowOf({ version: 700, modifiedMs: 700, sha256: 'new' }));
  scene.has.set('n1', {
    copies: [
      { id: 'older', version: 600, sizeBytes: 100, sha256: 'old' },
      { id: 'alone', version: 600, sizeBytes: 100, sha256: 'x' },
    ],
  });
  const { findings } = await scene.rebuild();
  expect(await scene.cluster.leaseOf('older')).toMatchObject({ state: 'released', version: 700, sha256: 'new' });
  expect(findings).toContainEqual(expect.objectContaining({ kind: 'only-copies', segment: 'alone', node: 'n1' }));
  expect(await scene.cluster.leaseOf('alone')).toBeUndefined();
});

test('the placement names the nodes that have the copies', async () => {
  const scene = await RebuildScene.of('n1', 'n2', 'n3', 'n4');
  const ids = Array.from({ length: 40 }, (_, at) => `s${String(at)}`);
  const copies = ids.map((id) => ({ id, version: 501, sizeBytes: 100, sha256: 'a' }));
  for (const id of ids) scene.rows.set(id, rowOf());
  for (const node of ['n2', 'n4']) scene.has.set(node, { copies });
  await scene.rebuild();
  const entry = await scene.cluster.store.get(keys.placement);
  const { target, serving } = decodePlacement(entry?.value ?? new Uint8Array());
  for (const id of ids) {
    const slot = slotOf(parseSegmentId(id));
    expect([nodesOf(target, slot).sort(), nodesOf(serving, slot).sort()]).toEqual([
      ['n2', 'n4'],
      ['n2', 'n4'],
    ]);
  }
});

test('a store that was not lost is left alone unless it is forced', async () => {
  const scene = await RebuildScene.of('n1');
  await scene.rebuild();
  const belongs = scene.cluster;
  await belongs.put(keys.cluster, { id: 'old', sinceMs: 0, state: 'ready', former: [], rebuiltFrom: [] });
  expect((await scene.rebuild()).failure).toMatchObject({ code: 'REQUEST_INVALID' });
  expect((await scene.rebuild({ force: true })).failure).toBeNull();
});

test('rules of single segments come from what the catalogue has kept, and what the store has stays', async () => {
  const scene = await RebuildScene.of('n1');
  scene.rules.push(
    { segment: 'a', copies: 3, tier: null, sinceMs: 5 },
    { segment: 'b', copies: null, tier: 'cold', sinceMs: 6 },
  );
  await scene.cluster.put(keys.rule('b'), { segment: 'b', copies: 2, sinceMs: 7 });
  const { counts, findings } = await scene.rebuild();
  expect(counts.rules).toBe(1);
  expect(await scene.documentAt(keys.rule('a'))).toMatchObject({
    segment: 'a',
    copies: 3,
    tier: null,
    sinceMs: 5,
    extra: [],
  });
  expect(await scene.documentAt(keys.rule('b'))).toMatchObject({ copies: 2 });
  expect(findings.filter(({ kind, why }) => kind === 'forgotten' && why.includes('rule list'))).toHaveLength(1);
});
