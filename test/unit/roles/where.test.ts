import { expect, test } from 'vitest';
import { nodesOf } from '../../../src/model/placement.ts';
import { slotOf } from '../../../src/model/slot.ts';
import { copyOf, leading } from './leader-fixture.ts';

const failure = { code: 'COLD_FAILED', message: 'no route', restMs: 4_000, setAside: false };

/** Three nodes, the first two of which have the segment by rank. */
async function scene() {
  const at = await leading(['n1', 'n2', 'n3']);
  const target = at.placed('n1', 'n2', 'n3');
  await at.place(target, target);
  const [first = '', second = ''] = nodesOf(target, slotOf('s'));
  return { ...at, target, first, second };
}

test('copies that are verified and of the published version serve, by rank', async () => {
  const { where, reports, first, second } = await scene();
  for (const node of [first, second]) reports.set(node, copyOf(7));
  const answer = await where();
  expect(answer).toMatchObject({ id: 's', copies: 2, slot: slotOf('s') });
  expect(answer.nodes.map(({ node, rank, served, why }) => ({ node, rank, served, why }))).toEqual([
    { node: first, rank: 0, served: true, why: 'version 7 verified, serves' },
    { node: second, rank: 1, served: true, why: 'version 7 verified, serves' },
  ]);
});

test.each([
  ['being fetched', { version: 7, fetching: true, failure: null }, 'version 7 is being fetched'],
  ['waiting', { version: 7, fetching: false, failure: null }, 'version 7 waits for its turn to be fetched'],
  [
    'failing',
    { version: 7, fetching: false, failure },
    'version 7 could not be fetched, next try in 4 s: no route (COLD_FAILED)',
  ],
  [
    'set aside',
    { version: 7, fetching: false, failure: { ...failure, setAside: true } },
    'version 7 cannot be fetched, its file in cold storage is bad: no route (COLD_FAILED)',
  ],
  ['not asked for', null, 'no copy here, and the node has not asked for it yet'],
])('a copy that is missing is not served: %s', async (_, wanted, why) => {
  const { where, reports, first } = await scene();
  reports.set(first, { copy: null, writable: false, wanted });
  expect((await where()).nodes[0]).toMatchObject({ served: false, why });
});

test('a copy below the version that the lease names is not served, and says what comes', async () => {
  const { where, reports, first, cluster } = await scene();
  await cluster.lease('s', { state: 'released', version: 9 });
  reports.set(first, copyOf(7, { wanted: { version: 9, fetching: true, failure: null } }));
  const answer = await where();
  expect(answer.lease).toMatchObject({ state: 'released', version: 9 });
  expect(answer.nodes[0]).toMatchObject({
    served: false,
    why: 'version 7 is here and is older than 9, which the lease names; version 9 is being fetched',
  });
});

test('while a node has it open for writing, that one answers and the copies do not', async () => {
  const { where, reports, first, second, cluster } = await scene();
  await cluster.lease('s', { state: 'held', node: second, version: 7 });
  reports.set(first, copyOf(7));
  reports.set(second, copyOf(7, { writable: true }));
  expect((await where()).nodes.map(({ served, why }) => [served, why])).toEqual([
    [false, `version 7 is here; ${second} has it open for writing and answers`],
    [true, 'open for writing here: this node answers'],
  ]);
});

test('nodes that are lost, stopped or say nothing are told apart, and the lost are not asked', async () => {
  const { where, cluster, first, second } = await scene();
  expect((await where()).nodes.map(({ why }) => why)).toEqual([
    'the node did not say what it has',
    'the node did not say what it has',
  ]);
  await cluster.pass(
    10_000,
    ['n1', 'n2', 'n3'].filter((name) => name !== first),
  );
  await cluster.node(second, { state: 'stopped' });
  expect((await where()).nodes.map(({ state, why }) => [state, why])).toEqual([
    ['lost', 'the node is silent and counts as lost'],
    ['stopped', 'the node was stopped'],
  ]);
});

test('while copies move, the new node waits and the leaving one serves', async () => {
  const { where, reports, placed, place, target } = await scene();
  const before = placed('n1', 'n2');
  const next = placed('n2', 'n3');
  await place(next, before);
  for (const node of target.nodes) reports.set(node, copyOf(7));
  const answer = await where();
  expect(answer.nodes.map(({ node }) => node).sort()).toEqual(['n1', 'n2', 'n3']);
  expect(answer.nodes.find(({ node }) => node === 'n3')).toMatchObject({ target: true, serving: false, served: false });
  expect(answer.nodes.find(({ node }) => node === 'n1')).toMatchObject({
    ...{ target: false, serving: true, served: true },
    why: 'version 7 verified, serves until its copies elsewhere are complete',
  });
});

test('what was never published has no copies, and says so', async () => {
  const { where, reports, first } = await scene();
  reports.set(first, { copy: null, writable: false, wanted: null });
  expect((await where({ version: 0 })).nodes[0]?.why).toBe(
    'nothing was published yet: copies come with the first promote',
  );
});
