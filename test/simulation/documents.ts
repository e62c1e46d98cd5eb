import { placesOf, treatmentOf, type SlotPlaces } from '../../src/messages/copy-places.ts';
import { decodeDocument, LeaseDocument, RuleDocument } from '../../src/messages/documents.ts';
import { keys } from '../../src/messages/keys.ts';
import { nodesOf } from '../../src/model/placement.ts';
import { decodePlacement, type PlacementDocument } from '../../src/model/placement-document.ts';
import { type SegmentTreatment } from '../../src/model/segment-rules.ts';
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

/** The rule of one segment as the store has it now. */
export function ruleOf({ metadata }: World, id: string): RuleDocument | undefined {
  const key = keys.rule(id);
  const entry = metadata.entry(key);
  return entry === undefined ? undefined : decodeDocument(RuleDocument, key, entry.value);
}

/** What a segment gets by that rule; undefined: as the settings say. */
export function treatmentBy({ rule }: World, id: string, document: RuleDocument | undefined): SegmentTreatment {
  return treatmentOf(rule(id), document);
}

/** Where its copies are to be and where they are served, by that placement and that rule. */
export function placesBy(
  world: World,
  { target, serving }: PlacementDocument,
  id: string,
  document: RuleDocument | undefined,
): SlotPlaces {
  const treatment = treatmentBy(world, id, document);
  if (treatment.tier === 'cold') return { target: [], serving: [] };
  const slot = slotOf(id);
  return placesOf({ target: nodesOf(target, slot), serving: nodesOf(serving, slot) }, treatment, document);
}
