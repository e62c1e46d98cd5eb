import { expect, test } from 'vitest';
import { type NodeContext } from '../../../src/roles/node-context.ts';
import { possibleHolders } from '../../../src/roles/copy-care.ts';
import { parseSegmentId } from '../../../src/model/segment-id.ts';

const ID = parseSegmentId('s');

function context(nodes: readonly (readonly [node: string, state: string, role: string])[]): NodeContext {
  const entries = nodes.map(([node, state, role]) => ({ document: { node, roles: [role] }, state }));
  return {
    self: { node: 'n1', session: 'n1-1' },
    places: () => ({ target: ['n1', 'n3'], serving: ['n4'] }),
    view: { nodes: () => entries, node: (name: string) => entries.find(({ document }) => document.node === name) },
  } as unknown as NodeContext;
}

test('a copy that cold storage lacks is asked of those that are to have it, and then of all others that may have come back with the last one', () => {
  const all = context([
    ['n1', 'alive', 'sync-local'],
    ['n2', 'alive', 'sync-local'],
    ['n3', 'alive', 'sync-local'],
    ['n4', 'alive', 'sync-local'],
    ['n5', 'lost', 'sync-local'],
    ['n6', 'alive', 'reader'],
  ]);
  expect(possibleHolders(all, ID)).toEqual(['n4', 'n3', 'n2']);
});
