import { decodeDocument, LeaseDocument } from '../../src/messages/documents.ts';
import { keys } from '../../src/messages/keys.ts';
import { nodesOf } from '../../src/model/placement.ts';
import { decodePlacement, type PlacementDocument } from '../../src/model/placement-document.ts';
import { slotOf } from '../../src/model/slot.ts';
import { type World } from './world.ts';

/** The leases as the store has them now. */
export function leases({ metadata }: World): LeaseDocument[] {
  return metadata.entries('lease.').map(({ key, value }) => decodeDocument(LeaseDocument, key, value));
}

export function leaseOf({ metadata }: World, id: string): LeaseDocument | undefined {
  const key = keys.lease(id);
  const entry = metadata.entry(key);
  return entry === undefined ? undefined : decodeDocument(LeaseDocument, key, entry.value);
}

/** How many leases a node holds. */
export function leasesOf(world: World, node: string): number {
  return leases(world).filter((lease) => lease.state === 'held' && lease.node === node).length;
}

export function placementOf({ metadata }: World): PlacementDocument | undefined {
  const entry = metadata.entry(keys.placement);
  return entry === undefined ? undefined : decodePlacement(entry.value);
}

/** The nodes that a placement names for a segment, by rank. */
export function namedBy(placement: PlacementDocument['target'], id: string, copies: number): readonly string[] {
  return nodesOf(placement, slotOf(id)).slice(0, copies);
}
