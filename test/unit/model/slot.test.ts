import { expect, test } from 'vitest';
import { type Slot, SLOT_COUNT, slotName, slotOf } from '../../../src/model/slot.ts';

test('slots are CRC-32 of the UTF-8 name, modulo 16,384: every trough has to agree for ever', () => {
  expect(slotOf('123456789')).toBe(0xcbf43926 & 0x3fff);
  expect(slotOf('')).toBe(0);
  expect(slotOf('The quick brown fox jumps over the lazy dog')).toBe(0x414fa339 & 0x3fff);
});

test('a slot’s name has four hex digits', () => {
  expect([0, 255, SLOT_COUNT - 1].map((slot) => slotName(slot as Slot))).toEqual(['0000', '00ff', '3fff']);
});

test('numbered segments spread evenly', () => {
  const counts = new Uint32Array(SLOT_COUNT);
  for (let id = 0; id < 40 * SLOT_COUNT; id += 1) {
    const slot = slotOf(`crawl-${String(id)}`);
    counts[slot] = (counts[slot] ?? 0) + 1;
  }
  expect(Math.max(...counts)).toBeLessThan(40 * 3);
});
