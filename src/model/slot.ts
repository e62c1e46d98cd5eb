import { crc32 } from 'node:zlib';

declare const brand: unique symbol;
/** One of the 16,384 groups of segments; placement is per slot. */
export type Slot = number & { readonly [brand]: 'Slot' };

export const SLOT_COUNT = 16_384;

export function slotOf(id: string): Slot {
  return (crc32(id) & (SLOT_COUNT - 1)) as Slot;
}

/** The slot as the four hex digits of its directory name. */
export function slotName(slot: Slot): string {
  return slot.toString(16).padStart(4, '0');
}
