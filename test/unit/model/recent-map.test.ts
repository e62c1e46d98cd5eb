import { expect, test } from 'vitest';
import { RecentMap } from '../../../src/model/recent-map.ts';

function filled(least: number, keys: number): RecentMap<number, string> {
  const map = new RecentMap<number, string>(least);
  for (let key = 0; key < keys; key += 1) map.use(key, () => `value ${String(key)}`);
  return map;
}

const kept = (map: RecentMap<number, string>, keys: number): number[] =>
  Array.from({ length: keys }, (_, key) => key).filter((key) => map.peek(key) !== undefined);

test('what is in use is made once and stays, however many others come and go', () => {
  const map = new RecentMap<string, number>(10);
  let made = 0;
  for (let other = 0; other < 1_000; other += 1) {
    expect(map.use('steady', () => (made += 1))).toBe(1);
    map.use(`other ${String(other)}`, () => 0);
  }
  expect(made).toBe(1);
});

test.each([10, 11, 15, 19, 20, 21, 1_000])(
  'of %i keys the last ten are remembered, and less than twenty in all',
  (keys) => {
    const all = kept(filled(10, keys), keys);
    expect(all.length).toBeLessThanOrEqual(20);
    for (let key = keys - 10; key < keys; key += 1) expect(all).toContain(key);
  },
);

test('looking does not keep a key', () => {
  const map = filled(2, 2);
  for (let key = 2; key < 10; key += 1) {
    map.peek(0);
    map.use(key, () => '');
  }
  expect(map.peek(0)).toBeUndefined();
});
