import { expect, test } from 'vitest';
import { answerPlan } from '../../../src/roles/leader-plan.ts';
import { evenSums, leading } from './leader-fixture.ts';

const SUMS = evenSums(3, 1_000);
const PLACES = 16_384 * 2;

async function scene(names = ['n1', 'n2', 'n3', 'n4']) {
  const at = await leading(names);
  const target = at.placed(...names);
  await at.place(target, target);
  return at;
}

test('without changes nothing moves', async () => {
  const { context } = await scene();
  const answer = answerPlan(context, { without: [], with: [] }, SUMS);
  expect(answer).toMatchObject({ moves: { places: 0, slots: 0, copies: 0, bytes: 0 }, ms: 0, notes: [] });
  expect(answer.nodes.map(({ bytes }) => bytes.before === bytes.after)).toEqual([true, true, true, true]);
});

test('without a node its share moves: places, copies and bytes, to each of the others', async () => {
  const { context } = await scene();
  const { nodes, moves, rate, ms } = answerPlan(context, { without: ['n4'], with: [] }, SUMS);
  expect(moves.places / PLACES).toBeGreaterThan(0.23);
  expect(moves.places / PLACES).toBeLessThan(1.1 / 4);
  expect([moves.copies, moves.bytes]).toEqual([moves.places * 3, moves.places * 3_000]);
  expect(nodes.find(({ node }) => node === 'n4')).toMatchObject({
    places: { after: 0 },
    gains: { places: 0 },
    ms: null,
  });
  const gained = nodes.reduce((sum, { gains }) => sum + gains.bytes, 0);
  expect(gained).toBe(moves.bytes);
  expect(rate.basis).toBe('assumed');
  expect(ms).toBe(Math.max(...nodes.map((node) => node.ms ?? 0)));
});

test('with a node it gets about its share, at the rate that was observed', async () => {
  const { context, cluster } = await scene();
  cluster.beat('n1', { fetched: { copiesPerSecond: 5, bytesPerSecond: 1e9 } });
  cluster.beat('n2', { fetched: { copiesPerSecond: 50, bytesPerSecond: 1e9 } });
  const { nodes, moves, rate, ms } = answerPlan(
    context,
    { without: [], with: [{ node: 'n5', quotaBytes: 1e9, zone: 'z' }] },
    SUMS,
  );
  expect(rate).toEqual({ basis: 'observed', copiesPerSecond: 5, bytesPerSecond: 1e9 });
  const gains = nodes.find(({ node }) => node === 'n5')?.gains;
  expect(gains?.places).toBe(moves.places);
  expect(moves.places / PLACES).toBeGreaterThan(0.18);
  expect(moves.places / PLACES).toBeLessThan(1.1 / 5);
  expect(ms).toBe(Math.round((moves.copies / 5) * 1_000));
});

test('too few nodes, full ones and unknown ones are said', async () => {
  const { context } = await scene(['n1', 'n2']);
  const few = answerPlan(context, { without: ['n2'], with: [] }, evenSums(1, 1e5));
  expect(few.notes).toEqual([
    'only 1 node(s) would be left for 2 copies: segments would have 1; a drain would wait',
    'over their quota: n1; add nodes, or raise their quotas',
  ]);
  expect(few.nodes.map(({ overQuota }) => overQuota)).toEqual([true, false]);
  expect(() => answerPlan(context, { without: ['n9'], with: [] }, SUMS)).toThrow(
    expect.objectContaining({ code: 'NODE_UNKNOWN' }),
  );
  const again = { node: 'n1', quotaBytes: 1, zone: 'z' };
  expect(() => answerPlan(context, { without: [], with: [again] }, SUMS)).toThrow(
    expect.objectContaining({ code: 'REQUEST_INVALID' }),
  );
});
