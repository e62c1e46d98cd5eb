import { expect, test } from 'vitest';
import { Heartbeat } from '../../../src/actors/heartbeat.ts';
import { type Beat } from '../../../src/messages/node-messages.ts';
import { ManualClock } from '../../support/manual-clock.ts';

function scene() {
  const clock = new ManualClock();
  const beats: Beat[] = [];
  let wallAheadMs = 0;
  const heartbeat = new Heartbeat({
    clock: {
      now: () => clock.now() + wallAheadMs,
      monotonic: () => clock.monotonic(),
      after: (delayMs, run) => clock.after(delayMs, run),
      untilTick: (periodMs) => periodMs,
    },
    emit: (beat) => beats.push(beat),
    self: { node: 'n1', session: 'now' },
    vitals: () => ({
      load: 0.5,
      storedBytes: 7,
      copies: 1,
      pending: 0,
      pendingBytes: 0,
      fetched: null,
      leases: 0,
      complete: null,
    }),
  });
  return {
    clock,
    beats,
    heartbeat,
    beat: () => {
      heartbeat.receive({ kind: 'tick' });
    },
    roll: (sequence: number, changes: { term?: number; session?: string; node?: string } = {}) => {
      const { term = 1, session = 'now', node = 'n1' } = changes;
      heartbeat.receive({
        kind: 'roll',
        roll: { term, node: 'leader', revision: 1, beats: { [node]: { session, sequence } } },
      });
    },
    jumpWall: (ms: number) => {
      wallAheadMs += ms;
    },
  };
}

test('each beat has the next number, who sends it and how it is', () => {
  const { beat, beats } = scene();
  beat();
  beat();
  expect(beats.map(({ sequence }) => sequence)).toEqual([1, 2]);
  expect(beats[0]).toMatchObject({ node: 'n1', session: 'now', load: 0.5, storedBytes: 7 });
});

test('nothing confirms it before the leader has named one of its beats', () => {
  const { heartbeat, beat, roll } = scene();
  beat();
  expect(heartbeat.confirmed()).toBe(false);
  roll(1, { node: 'n2' });
  expect(heartbeat.confirmed()).toBe(false);
  roll(1);
  expect(heartbeat.confirmed()).toBe(true);
});

test('a beat confirms for 8 s from the time when it was sent, however late the roll comes', async () => {
  const { clock, heartbeat, beat, roll } = scene();
  beat();
  await clock.advance(7_000);
  roll(1);
  expect(heartbeat.confirmed()).toBe(true);
  await clock.advance(999);
  expect(heartbeat.confirmed()).toBe(true);
  await clock.advance(1);
  expect(heartbeat.confirmed()).toBe(false);
});

test('what confirms it again after a gap begins another stretch, what comes in time does not', async () => {
  const { clock, heartbeat, beat, roll } = scene();
  beat();
  roll(1);
  const first = heartbeat.lapses;
  await clock.advance(5_000);
  beat();
  roll(2);
  await clock.advance(7_999);
  beat();
  roll(3);
  expect(heartbeat.lapses).toBe(first);
  await clock.advance(30_000);
  beat();
  expect(heartbeat.confirmed()).toBe(false);
  roll(4);
  expect(heartbeat.confirmed()).toBe(true);
  expect(heartbeat.lapses).toBe(first + 1);
});

test('an old beat that is named again does not take back what a newer one confirmed', async () => {
  const { clock, heartbeat, beat, roll } = scene();
  beat();
  await clock.advance(4_000);
  beat();
  roll(2);
  roll(1);
  await clock.advance(7_000);
  expect(heartbeat.confirmed()).toBe(true);
});

test('beats of another session, beats never sent and beats long forgotten confirm nothing', () => {
  const { heartbeat, beat, roll } = scene();
  beat();
  roll(1, { session: 'an earlier one' });
  roll(99);
  expect(heartbeat.confirmed()).toBe(false);
  for (let more = 0; more < 16; more += 1) beat();
  roll(1);
  expect(heartbeat.confirmed()).toBe(false);
});

test('a roll of an older term counts for nothing once a newer one was heard', () => {
  const { heartbeat, beat, roll } = scene();
  beat();
  roll(99, { term: 5 });
  roll(1, { term: 4 });
  expect(heartbeat.confirmed()).toBe(false);
  roll(1, { term: 5 });
  expect(heartbeat.confirmed()).toBe(true);
});

test.each([60_000, -60_000])('after the wall clock jumps by %i ms, only beats sent since count', (ms) => {
  const { heartbeat, beat, roll, jumpWall } = scene();
  beat();
  roll(1);
  expect(heartbeat.confirmed()).toBe(true);
  jumpWall(ms);
  expect(heartbeat.confirmed()).toBe(false);
  roll(1);
  expect(heartbeat.confirmed()).toBe(false);
  beat();
  roll(2);
  expect(heartbeat.confirmed()).toBe(true);
});

test('a clock that is set by less than a second changes nothing', () => {
  const { heartbeat, beat, roll, jumpWall } = scene();
  beat();
  roll(1);
  jumpWall(900);
  expect(heartbeat.confirmed()).toBe(true);
});

test('a view is fresh when it has what the last roll names, and that roll was made after a beat younger than 8 s', async () => {
  const { clock, heartbeat, beat, roll } = scene();
  beat();
  expect(heartbeat.isFresh(5)).toBe(false);
  roll(1);
  expect([heartbeat.isFresh(0), heartbeat.isFresh(1)]).toEqual([false, true]);
  await clock.advance(7_999);
  expect(heartbeat.isFresh(1)).toBe(true);
  await clock.advance(1);
  expect(heartbeat.isFresh(1)).toBe(false);
});

test('a roll that was held up on its way, or that does not name this process, makes no view fresh', async () => {
  const { clock, heartbeat, beat, roll, jumpWall } = scene();
  beat();
  await clock.advance(8_000);
  roll(1);
  expect(heartbeat.isFresh(1)).toBe(false);
  beat();
  roll(2, { session: 'before' });
  expect(heartbeat.isFresh(1)).toBe(false);
  roll(2);
  expect(heartbeat.isFresh(1)).toBe(true);
  jumpWall(5_000);
  expect(heartbeat.isFresh(1)).toBe(false);
});
