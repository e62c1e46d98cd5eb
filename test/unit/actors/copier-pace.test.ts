import { expect, test } from 'vitest';
import { copying } from './copier-fixture.ts';

test('with a limit it brings no more bytes in a second than that, on average, and says what is still to come', async () => {
  const { cluster, copier, leader, tick, row, content } = await copying({ bytesPerSecond: 3 });
  leader.rows = [row('a', 'one', 70), row('b', 'second', 71)];
  await tick();
  expect([content('a'), content('b'), copier.pendingBytes]).toEqual([undefined, undefined, 9]);
  await cluster.clock.advance(1_000);
  await cluster.settle();
  expect([content('a'), content('b')]).toEqual(['one', undefined]);
  await cluster.clock.advance(1_900);
  await cluster.settle();
  expect(content('b')).toBeUndefined();
  await cluster.clock.advance(200);
  await cluster.settle();
  expect([content('b'), copier.pending]).toEqual(['second', 0]);
});

test('what is no longer wanted when its turn comes is not fetched', async () => {
  const { cluster, copier, cold, leader, tick, row } = await copying({ bytesPerSecond: 1 });
  leader.rows = [row('a', 'long', 70)];
  await tick();
  leader.rows = [];
  leader.place.epoch = 2;
  await copier.receive({ kind: 'compare' });
  await cluster.settle();
  await cluster.clock.advance(60_000);
  await cluster.settle();
  expect(cold.fetches).toEqual([]);
});

test('what waits for its turn ends with the copier', async () => {
  const { cluster, copier, leader, tick, row, content, lines } = await copying({ bytesPerSecond: 1 });
  leader.rows = [row('a', 'very long', 70)];
  await tick();
  await copier.stop();
  await cluster.clock.advance(60_000);
  expect(content('a')).toBeUndefined();
  expect(lines.filter(({ msg }) => msg.includes('could not be fetched'))).toEqual([]);
});
