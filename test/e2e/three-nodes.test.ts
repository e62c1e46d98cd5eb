import { expect, test } from 'vitest';
import { clusterStatus, promote, provision, readFrom, writeTo } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { threeNodes } from '../support/three-nodes.ts';
import { type TroughRun } from '../support/trough-process.ts';

const SEGMENTS = Array.from({ length: 30 }, (_, index) => `station-${String(index)}`);

test('three nodes on one nats-server: each reader answers for every segment, also after one node was killed', async () => {
  await using cluster = await threeNodes('--copies', '2');
  const [first, second, third] = cluster.nodes;

  // Provisions go to the least filled node, so each of the three gets its share.
  const holders = new Set<string>();
  for (const [index, segment] of SEGMENTS.entries()) {
    const { node, writeUrl } = await provision(second, segment);
    holders.add(node);
    await writeTo(writeUrl, `create table t (a); insert into t values (${String(index)})`);
  }
  expect(holders).toEqual(new Set(['n1', 'n2', 'n3']));

  // A write is seen at once through each reader, wherever the segment is open.
  await expectEverySegment(cluster.nodes, SEGMENTS);

  for (const segment of SEGMENTS) await promote(third, segment);
  await eventually('two copies of each', async () => {
    const { nodes } = await clusterStatus(first);
    const copies = nodes.reduce((sum, node) => sum + node.copies, 0);
    return copies === 2 * SEGMENTS.length && nodes.every(({ pending }) => pending === 0);
  });
  await expectEverySegment(cluster.nodes, SEGMENTS);

  // The one that leads is as good as any to lose.
  first.kill('SIGKILL');
  await first.ended;
  await expectEverySegment([second, third], SEGMENTS);

  // Its segments are writable again on another node once it counts as lost: everything they had was promoted.
  const again = await eventually(
    'a provision elsewhere',
    async () => {
      try {
        return await provision(second, SEGMENTS[0] ?? '');
      } catch {
        return undefined;
      }
    },
    30_000,
  );
  expect(['n2', 'n3']).toContain(again.node);
  await writeTo(again.writeUrl, 'insert into t values (1000)');
  expect(await readFrom(third, SEGMENTS[0] ?? '', 'select a from t order by a')).toEqual([{ a: 0 }, { a: 1000 }]);
});

async function expectEverySegment(nodes: readonly TroughRun[], segments: readonly string[]): Promise<void> {
  for (const node of nodes) {
    for (const [index, segment] of segments.entries()) {
      expect(await readFrom(node, segment, 'select a from t')).toEqual([{ a: index }]);
    }
  }
}
