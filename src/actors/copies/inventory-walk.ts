import { type SegmentId } from '../../model/segment-id.ts';
import { type Clock } from '../../runtime/clock.ts';
import { pause } from '../../runtime/pause.ts';
import { type Inventory } from './inventory.ts';

/** Ids that are looked at without a pause. */
const AT_ONCE = 2_000;

/** All copies, a few at a time, so that millions of them hold nobody up. Those that come or go meanwhile may be among them or not. */
export async function* walkInventory(
  { inventory, clock }: { readonly inventory: Inventory; readonly clock: Clock },
  stopping: AbortSignal,
): AsyncIterable<SegmentId> {
  let looked = 0;
  for (const id of inventory.ids()) {
    if (stopping.aborted) return;
    looked += 1;
    if (looked % AT_ONCE === 0) await pause(clock, 1, stopping);
    yield id;
  }
}
