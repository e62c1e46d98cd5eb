import { TroughError } from '../../errors.ts';
import { type ClusterView, type NodeEntry } from '../../messages/cluster-view.ts';

/** What a segment that has no size yet counts for, so that a burst of new ones spreads out. */
const NEW_SEGMENT_BYTES = 1_000_000;

interface Wish {
  /** Not this one. */
  readonly not?: string;
  /** None that is being drained, not even when there is no other. */
  readonly stays?: boolean;
}

/**
 * The write node that lives, and has said so itself in this session, and is not about to stop, that is least filled for its quota; among equals the one
 * with fewer leases, then by name. A node that is being drained only when there is no other. NODE_UNAVAILABLE when there is none.
 */
export function emptiestWriter(view: ClusterView, granting: ReadonlyMap<string, number>, wish: Wish = {}): NodeEntry {
  const leases = (entry: NodeEntry): number =>
    view.leasesOf(entry.document.node) + (granting.get(entry.document.node) ?? 0);
  const filled = (entry: NodeEntry): number =>
    ((entry.beat?.storedBytes ?? 0) + leases(entry) * NEW_SEGMENT_BYTES) / Math.max(1, entry.document.quotaBytes);
  const writers = view.nodes().filter((entry) => takesLeases(entry) && entry.document.node !== wish.not);
  const staying = writers.filter(({ document }) => view.drainOf(document.node) === undefined);
  const candidates = staying.length > 0 || wish.stays === true ? staying : writers;
  const [best, ...others] = candidates;
  if (best === undefined) throw new TroughError('NODE_UNAVAILABLE', 'no node with the writer role is alive');
  return others.reduce((chosen, entry) => {
    const difference = filled(entry) - filled(chosen) || leases(entry) - leases(chosen);
    if (difference !== 0) return difference < 0 ? entry : chosen;
    return entry.document.node < chosen.document.node ? entry : chosen;
  }, best);
}

/** A writer that lives and means to. */
export function takesLeases({ document, state, beat }: NodeEntry): boolean {
  return state === 'alive' && beat !== undefined && beat.leaving !== true && document.roles.includes('writer');
}
