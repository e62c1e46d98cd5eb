import { placesOf, treatmentOf } from '../../../src/messages/copy-places.ts';
import { type CopyReport } from '../../../src/messages/copy-report.ts';
import { type SegmentAnswer, type SegmentRow } from '../../../src/messages/control.ts';
import { keys } from '../../../src/messages/keys.ts';
import { parseNodeId } from '../../../src/model/node-id.ts';
import { type Placement } from '../../../src/model/placement.ts';
import { encodePlacement } from '../../../src/model/placement-document.ts';
import { plan } from '../../../src/model/placement-plan.ts';
import { slotOf } from '../../../src/model/slot.ts';
import { type SlotSum, SlotSums } from '../../../src/model/slot-sums.ts';
import { describeSegment } from '../../../src/roles/leader-reports.ts';
import { PlacementView } from '../../../src/roles/placement-view.ts';
import { FakeCluster } from '../../support/fake-cluster.ts';

const MS = 300_000;

/** A leader's view of a cluster in memory, whose nodes say of a segment what a test makes them say. */
export async function leading(names: readonly string[], copies = 2) {
  const cluster = new FakeCluster();
  for (const name of names) await cluster.node(name);
  await cluster.settle();
  const placement = new PlacementView(cluster.view);
  const bySettings = () => ({ copies, tier: 'hot' as const });
  const context = {
    view: cluster.view,
    placement,
    settings: { rebuildAfterMs: MS } as never,
    mostCopies: copies,
    bySettings,
    rule: (id: string) => treatmentOf(bySettings(), cluster.view.rule(id)?.document),
    places: (id: string) =>
      placesOf(
        placement.of(slotOf(id)),
        treatmentOf(bySettings(), cluster.view.rule(id)?.document),
        cluster.view.rule(id)?.document,
      ),
  };
  const reports = new Map<string, CopyReport>();
  const placed = (...on: string[]): Placement =>
    plan(
      undefined,
      on.map((name) => ({ node: parseNodeId(name), zone: 'z', quotaBytes: 1e9 })),
      undefined,
      { copies },
    );
  return {
    cluster,
    context,
    reports,
    placed,
    place: (target: Placement, serving: Placement): Promise<number> =>
      cluster.put(keys.placement, encodePlacement({ term: 1, epoch: 1, target, serving })),
    where: (row: Partial<SegmentRow> = {}): Promise<SegmentAnswer> =>
      describeSegment({ ...context, copyOf: (node) => Promise.resolve(reports.get(node)) }, { ...ROW, ...row }),
  };
}

const ROW: SegmentRow = {
  id: 's',
  slot: slotOf('s'),
  tier: 'hot',
  version: 7,
  sizeBytes: 10,
  sha256: null,
  schema: null,
  state: 'read-only',
};

export function copyOf(version: number, more: Partial<CopyReport> = {}): CopyReport {
  return { copy: { version, sizeBytes: 10, verifiedMs: 0 }, writable: false, wanted: null, ...more };
}

/** So many hot segments of so many bytes each, evenly over the slots, all with as many copies. */
export function evenSums(segments: number, bytes: number, copies = 2): SlotSums {
  const sums: SlotSum[] = Array.from({ length: 16_384 }, (_, slot) => ({
    ...{ slot, tier: 'hot' as const, copies },
    ...{ segments, bytes: segments * bytes },
  }));
  return new SlotSums(sums);
}
