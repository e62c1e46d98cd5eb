import { Placer } from '../../../src/actors/leader/placer.ts';
import { silentLog } from '../../../src/log.ts';
import { decodePlacement, type PlacementDocument } from '../../../src/model/placement-document.ts';
import { SlotSums } from '../../../src/model/slot-sums.ts';
import { FakeCluster } from '../../support/fake-cluster.ts';

export const REBUILD_AFTER_MS = 60_000;

/** A leader of term 3 that keeps two copies. */
export async function placing(...nodes: string[]) {
  const moves = { perNode: 100_000, inAll: 100_000 };
  const cluster = new FakeCluster();
  const leadership: { term: number | undefined; renewedMs: number; revision: number } = {
    term: 3,
    renewedMs: 0,
    revision: 7,
  };
  const said: string[] = [];
  /** What the leader knows to be stored: nothing. */
  const stored: { sums: SlotSums | undefined } = { sums: new SlotSums([]) };
  let decoded: { revision: number; document: PlacementDocument } | undefined;
  const placement = (): PlacementDocument | undefined => {
    const stored = cluster.view.placement();
    if (stored === undefined) return undefined;
    if (decoded?.revision !== stored.revision) {
      decoded = { revision: stored.revision, document: decodePlacement(stored.value) };
    }
    return decoded.document;
  };
  const placer = new Placer({
    ...{ clock: cluster.clock, log: silentLog, store: cluster.store, view: cluster.view, leadership, placement },
    emit: ({ kind }) => said.push(kind),
    rebuildAfterMs: REBUILD_AFTER_MS,
    moves,
    ranks: 2,
    weights: () => Promise.resolve(stored.sums),
  });
  for (const node of nodes) await cluster.node(node);
  await cluster.settle();
  const tick = async (): Promise<void> => {
    await placer.receive();
    await cluster.settle();
  };
  /** Every node says that it has all copies of the present placement. */
  const complete = (...names: string[]): void => {
    const { term, epoch } = placement() ?? { term: 0, epoch: 0 };
    for (const node of names) cluster.beat(node, { complete: { term, epoch } });
  };
  return {
    cluster,
    leadership,
    said,
    stored,
    placer,
    moves,
    placement,
    tick,
    complete,
    revision: () => cluster.view.placement()?.revision,
  };
}
