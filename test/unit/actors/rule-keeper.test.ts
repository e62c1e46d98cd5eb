import { expect, test } from 'vitest';
import { RuleKeeper } from '../../../src/actors/leader/rule-keeper.ts';
import { treatmentOf } from '../../../src/messages/copy-places.ts';
import { type CopyReport } from '../../../src/messages/copy-report.ts';
import { type ManifestRow } from '../../../src/messages/control.ts';
import { type RuleDocument } from '../../../src/messages/documents.ts';
import { keys } from '../../../src/messages/keys.ts';
import { nodesOf } from '../../../src/model/placement.ts';
import { slotOf } from '../../../src/model/slot.ts';
import { recordingLog } from '../../support/recording-log.ts';
import { placing, REBUILD_AFTER_MS } from './placer-fixture.ts';

/** A leader that keeps two copies of each segment on five nodes, and the segment `s` in version 7. */
async function scene(...nodes: string[]) {
  const names = nodes.length === 0 ? ['n1', 'n2', 'n3', 'n4', 'n5'] : nodes;
  const placed = await placing(...names);
  await placed.tick();
  const { cluster, leadership, placement } = placed;
  const bySettings = { copies: 2, tier: 'hot' as const };
  const rows: ManifestRow[] = [{ id: 's', version: 7, sizeBytes: 1, sha256: null }];
  /** The versions that nodes have. */
  const held = new Map<string, number>();
  const { log, lines } = recordingLog();
  const keeper = new RuleKeeper({
    ...{ clock: cluster.clock, log, store: cluster.store, view: cluster.view, leadership, placement },
    rule: (id) => treatmentOf(bySettings, cluster.view.rule(id)?.document),
    rebuildAfterMs: REBUILD_AFTER_MS,
    rows: (ids) => Promise.resolve(rows.filter(({ id }) => ids.includes(id))),
    copyOf: (node): Promise<CopyReport | undefined> => {
      const version = held.get(node);
      const copy = version === undefined ? null : { version, sizeBytes: 1, verifiedMs: 0 };
      return Promise.resolve({ copy, writable: false, wanted: null });
    },
  });
  const tick = async (): Promise<void> => {
    await keeper.receive();
    await cluster.settle();
  };
  const document = placement();
  if (document === undefined) throw new Error('nothing was placed');
  const ofSlot: readonly string[] = nodesOf(document.target, slotOf('s'));
  return {
    ...{ cluster, leadership, held, lines, tick, ofSlot, names },
    others: names.filter((name) => !ofSlot.includes(name)),
    rule: (changes: Partial<RuleDocument>): Promise<number> =>
      cluster.put(keys.rule('s'), { segment: 's', sinceMs: 5, ...changes }),
    extra: (): RuleDocument['extra'] | undefined => cluster.view.rule('s')?.document.extra,
  };
}

test('copies beyond those of the slot get nodes of their own, and serve when they were seen there', async () => {
  const { rule, tick, extra, others, held } = await scene();
  await rule({ copies: 4 });
  await tick();
  const chosen = extra()?.map(({ node }) => node) ?? [];
  expect(chosen).toHaveLength(2);
  expect(others).toEqual(expect.arrayContaining(chosen));
  expect(extra()?.map(({ serving }) => serving)).toEqual([false, false]);
  held.set(chosen[0] ?? '', 7);
  held.set(chosen[1] ?? '', 6);
  await tick();
  expect(extra()?.map(({ serving }) => serving)).toEqual([true, false]);
  held.set(chosen[1] ?? '', 7);
  await tick();
  expect(extra()?.map(({ serving }) => serving)).toEqual([true, true]);
});

test('a rule that fits the slot, or makes the segment cold, needs no further node', async () => {
  const { rule, tick, extra } = await scene();
  await rule({ copies: 1 });
  await tick();
  expect(extra()).toEqual([]);
  await rule({ copies: 4 });
  await tick();
  expect(extra()).toHaveLength(2);
  await rule({ copies: 4, tier: 'cold', extra: extra() ?? [] });
  await tick();
  expect(extra()).toEqual([]);
});

test('what was decided stays while it is right: nothing is written', async () => {
  const { cluster, rule, tick, held, extra } = await scene();
  await rule({ copies: 3 });
  await tick();
  held.set(extra()?.[0]?.node ?? '', 7);
  await tick();
  const revision = cluster.view.revision;
  for (let again = 0; again < 3; again += 1) await tick();
  expect(cluster.view.revision).toBe(revision);
});

test('another zone comes first', async () => {
  const { cluster, rule, tick, extra, others } = await scene();
  const [far = ''] = others;
  await cluster.node(far, { zone: 'far' });
  await rule({ copies: 3 });
  await tick();
  expect(extra()?.map(({ node }) => node)).toEqual([far]);
});

test('a node that is drained keeps its copy until the one that takes its place has it', async () => {
  const { cluster, rule, tick, extra, held } = await scene();
  await rule({ copies: 3 });
  await tick();
  const leaving = extra()?.[0]?.node ?? '';
  held.set(leaving, 7);
  await tick();
  await cluster.put(keys.drain(leaving), { node: leaving, sinceMs: 1 });
  await tick();
  expect(extra()?.map(({ node, serving }) => [node === leaving, serving])).toEqual([
    [false, false],
    [true, true],
  ]);
  held.set(extra()?.[0]?.node ?? '', 7);
  await tick();
  expect(extra()?.map(({ node }) => node === leaving)).toEqual([false]);
});

test('a node that is gone is replaced at once, one that is away for a moment is not', async () => {
  const { cluster, rule, tick, extra, held, names } = await scene();
  await rule({ copies: 3 });
  await tick();
  const gone = extra()?.[0]?.node ?? '';
  held.set(gone, 7);
  await tick();
  const others = names.filter((name) => name !== gone);
  await cluster.pass(REBUILD_AFTER_MS - 10_000, others);
  await tick();
  expect(extra()).toEqual([{ node: gone, serving: true }]);
  await cluster.pass(20_000, others);
  await tick();
  expect(extra()?.map(({ node }) => node === gone)).toEqual([false]);
});

test('a rule that says nothing any more goes, and so does that of a shredded segment', async () => {
  const { cluster, rule, tick, extra } = await scene();
  await rule({ copies: 3 });
  await tick();
  await rule({ copies: null, extra: extra() ?? [] });
  await tick();
  expect(extra()).toBeUndefined();
  await rule({ copies: 3 });
  await cluster.lease('s', { state: 'shredded' });
  await tick();
  expect(extra()).toBeUndefined();
});

test('more copies than nodes leaves the rest without one, and takes a node that comes', async () => {
  const { cluster, rule, tick, extra } = await scene('n1', 'n2', 'n3');
  await rule({ copies: 5 });
  await tick();
  expect(extra()).toHaveLength(1);
  await cluster.node('n4');
  await tick();
  expect(extra()).toHaveLength(2);
});

test('who does not lead, or finds that a later leader has written, writes nothing', async () => {
  const { leadership, rule, tick, extra } = await scene();
  await rule({ copies: 3, term: 4 });
  await tick();
  expect(extra()).toEqual([]);
  leadership.term = undefined;
  await rule({ copies: 3 });
  await tick();
  expect(extra()).toEqual([]);
});

test('a store that is away costs a turn and no more', async () => {
  const { cluster, rule, tick, extra } = await scene();
  await rule({ copies: 3 });
  cluster.store.setReachable(false);
  await tick();
  expect(extra()).toEqual([]);
  cluster.store.setReachable(true);
  await tick();
  expect(extra()).toHaveLength(1);
});
