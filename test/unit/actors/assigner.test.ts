import { expect, test } from 'vitest';
import { Assigner } from '../../../src/actors/leader/assigner.ts';
import { type Assign } from '../../../src/messages/node-messages.ts';
import { parseNodeId } from '../../../src/model/node-id.ts';
import { nodesOf } from '../../../src/model/placement.ts';
import { type PlacementDocument } from '../../../src/model/placement-document.ts';
import { plan } from '../../../src/model/placement-plan.ts';
import { slotOf } from '../../../src/model/slot.ts';

const members = ['n1', 'n2', 'n3'].map((node) => ({ node: parseNodeId(node), zone: node, quotaBytes: 1 }));
const target = plan(undefined, members, undefined, { copies: 2 });

function scene() {
  const leadership: { term: number | undefined; renewedMs: number; revision: number } = {
    term: 1,
    renewedMs: 0,
    revision: 7,
  };
  const state: { placement: PlacementDocument | undefined } = {
    placement: { term: 1, epoch: 4, target, serving: target },
  };
  const alive: string[] = [];
  const gaining = new Set<string>();
  const extra = new Map<string, string[]>();
  const said: { node: string; assign: Assign }[] = [];
  const assigner = new Assigner({
    leadership,
    placement: () => state.placement,
    extra: (id) => extra.get(id) ?? [],
    gainsMore: (node) => gaining.has(node),
    nodes: () => alive,
    emit: (item) => said.push(item),
  });
  const change = (id: string, copies = 2, tier: 'hot' | 'cold' = 'hot'): void => {
    assigner.receive({ kind: 'changed', rows: [{ id, version: 7, sizeBytes: 1, sha256: null, copies, tier }] });
  };
  return { leadership, state, alive, extra, gaining, assigner, said, change, take: () => said.splice(0) };
}

test('a changed segment is told to the first of its nodes, as many as it has copies', () => {
  const { change, take } = scene();
  const ranked = nodesOf(target, slotOf('s'));
  change('s', 2);
  expect(take().map(({ node }) => node)).toEqual(ranked);
  change('s', 1);
  expect(take()).toEqual([
    {
      node: ranked[0],
      assign: {
        ...{ term: 1, epoch: 4, sequence: 2, shredded: [], unasked: [], more: false },
        changed: [{ id: 's', version: 7, sizeBytes: 1, sha256: null }],
      },
    },
  ]);
});

test('very many rows that change together come to a node in messages of a thousand, numbered on', () => {
  const { assigner, take } = scene();
  const rows = Array.from({ length: 4_000 }, (_, index) => ({
    ...{ id: `s${String(index)}`, version: 1, sizeBytes: 1, sha256: null, copies: 3 },
    tier: 'hot' as const,
  }));
  assigner.receive({ kind: 'changed', rows });
  const toFirst = take().filter(({ node }) => node === 'n1');
  const sizes = toFirst.map(({ assign }) => assign.changed.length);
  expect(Math.max(...sizes)).toBe(1_000);
  expect(toFirst.map(({ assign }) => assign.sequence)).toEqual(sizes.map((_, index) => index + 1));
  const asked = rows.filter(({ id }) => nodesOf(target, slotOf(id)).some((node) => node === 'n1'));
  expect(toFirst.flatMap(({ assign }) => assign.changed.map(({ id }) => id))).toEqual(asked.map(({ id }) => id));
});

test('rows that change together come to a node in one message', () => {
  const { assigner, take } = scene();
  const rows = Array.from({ length: 50 }, (_, index) => ({
    ...{ id: `s${String(index)}`, version: 1, sizeBytes: 1, sha256: null, copies: 2 },
    tier: 'hot' as const,
  }));
  assigner.receive({ kind: 'changed', rows });
  const said = take();
  expect(said.map(({ node }) => node).sort()).toEqual(['n1', 'n2', 'n3']);
  expect(said.reduce((sum, { assign }) => sum + assign.changed.length, 0)).toBe(100);
});

test('a segment of the cold tier has no assigned copies', () => {
  const { change, take } = scene();
  change('s', 2, 'cold');
  expect(take()).toEqual([]);
});

test('numbers grow per node, so that each notices what it missed', () => {
  const { assigner, change, take } = scene();
  for (let count = 0; count < 20; count += 1) change(`s${String(count)}`);
  const said = take();
  for (const node of ['n1', 'n2', 'n3']) {
    const numbers = said.filter((item) => item.node === node).map(({ assign }) => assign.sequence);
    expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, index) => index + 1));
    expect(assigner.sequenceOf(node)).toBe(numbers.length);
  }
});

test('a shredded segment is told to every node', () => {
  const { assigner, take } = scene();
  assigner.receive({ kind: 'shredded', segment: 's' });
  expect(take().map(({ node, assign }) => [node, assign.sequence, assign.shredded])).toEqual([
    ['n1', 1, ['s']],
    ['n2', 1, ['s']],
    ['n3', 1, ['s']],
  ]);
});

test('a repeat says where the numbers stand and takes none', () => {
  const { assigner, change, take } = scene();
  change('s');
  take();
  assigner.receive({ kind: 'repeat' });
  assigner.receive({ kind: 'placed' });
  const told = nodesOf(target, slotOf('s'));
  const numbers = take().map(({ node, assign }) => [node, assign.sequence]);
  const expected = ['n1', 'n2', 'n3'].map((node) => [node, told.some((one) => one === node) ? 1 : 0]);
  expect(numbers).toEqual([...expected, ...expected]);
});

test('in another term the numbers start again', () => {
  const { assigner, leadership, change, take } = scene();
  change('s');
  take();
  leadership.term = 2;
  change('s');
  expect(take().map(({ assign }) => [assign.term, assign.sequence])).toEqual([
    [2, 1],
    [2, 1],
  ]);
  expect(assigner.sequenceOf('nobody')).toBe(0);
});

test('one that does not lead, or has no placement, says nothing', () => {
  const { assigner, leadership, state, change, take } = scene();
  leadership.term = undefined;
  change('s');
  assigner.receive({ kind: 'repeat' });
  leadership.term = 1;
  state.placement = undefined;
  change('s');
  expect(take()).toEqual([]);
});

test('a node that keeps copies and is placed no more hears of placements and shreds too', () => {
  const { assigner, alive, take } = scene();
  alive.push('n1', 'n9');
  assigner.receive({ kind: 'placed' });
  expect(take().map(({ node }) => node)).toEqual(['n1', 'n2', 'n3', 'n9']);
  assigner.receive({ kind: 'shredded', segment: 's' });
  expect(
    take()
      .filter(({ node }) => node === 'n9')
      .map(({ assign }) => assign.shredded),
  ).toEqual([['s']]);
});

test('a segment whose rule changed is told to its nodes, also to those beside its slot; all others may have to give it up', () => {
  const { assigner, alive, extra, take } = scene();
  const ranked = nodesOf(target, slotOf('s'));
  const third = ['n1', 'n2', 'n3'].find((node) => !ranked.some((one) => one === node)) ?? '';
  alive.push('n1', 'n2', 'n3', 'n4');
  extra.set('s', ['n4']);
  const row = { id: 's', version: 7, sizeBytes: 1, sha256: null };
  assigner.receive({ kind: 'ruled', rows: [{ ...row, copies: 3, tier: 'hot' }] });
  const said = take().map(({ node, assign: { changed, unasked } }) => [node, changed.length, unasked]);
  expect(said).toEqual([
    [ranked[0], 1, []],
    [ranked[1], 1, []],
    ['n4', 1, []],
    [third, 0, ['s']],
  ]);
  assigner.receive({ kind: 'ruled', rows: [{ ...row, copies: 3, tier: 'cold' }] });
  expect(take().map(({ node, assign }) => [node, assign.unasked])).toEqual(alive.map((node) => [node, ['s']]));
  assigner.receive({ kind: 'ruled', rows: [{ ...row, version: 0, copies: 3, tier: 'hot' }] });
  expect(take().flatMap(({ assign }) => assign.changed)).toEqual([]);
});

test('a node is told whether further places are to come to it', () => {
  const { assigner, gaining, take } = scene();
  gaining.add('n2');
  assigner.receive({ kind: 'placed' });
  expect(take().map(({ node, assign }) => [node, assign.more])).toEqual([
    ['n1', false],
    ['n2', true],
    ['n3', false],
  ]);
});
