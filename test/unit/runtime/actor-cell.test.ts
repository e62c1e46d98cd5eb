import { expect, test } from 'vitest';
import { type Actor } from '../../../src/runtime/actor.ts';
import { ActorCell, type SpawnOptions } from '../../../src/runtime/actor-cell.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { recordingLog } from '../../support/recording-log.ts';

interface Scene {
  readonly clock: ManualClock;
  readonly story: string[];
  readonly cell: ActorCell<string>;
  readonly warnings: () => string[];
}

function scene(
  make: (story: string[], incarnation: number) => Partial<Actor<string>>,
  spawn: SpawnOptions = {},
): Scene {
  const clock = new ManualClock();
  const { log, lines } = recordingLog();
  const story: string[] = [];
  let incarnation = 0;
  const create = (): Actor<string> => {
    incarnation += 1;
    return { name: 'actor', receive: (message) => void story.push(message), ...make(story, incarnation) };
  };
  const cell = new ActorCell(create, { clock, log, random: () => 0, graceMs: 1000 }, spawn);
  return { clock, story, cell, warnings: () => lines.map(({ msg }) => msg) };
}

/** A promise that a test settles by hand. */
function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  return {
    opened: promise,
    open: () => {
      resolve(undefined);
    },
  };
}

test('the next message waits until the last one is done', async () => {
  const first = gate();
  const { clock, story, cell } = scene((said) => ({
    receive: async (message) => {
      said.push(`${message} begins`);
      if (message === 'a') await first.opened;
      said.push(`${message} ends`);
    },
  }));
  cell.send('a');
  cell.send('b');
  await clock.advance(0);
  expect(story).toEqual(['a begins']);
  first.open();
  await clock.advance(0);
  expect(story).toEqual(['a begins', 'a ends', 'b begins', 'b ends']);
});

test('nothing is handled within the sender’s own step', async () => {
  const { clock, story, cell } = scene(() => ({}));
  await clock.advance(0);
  cell.send('a');
  expect(story).toEqual([]);
  await clock.advance(0);
  expect(story).toEqual(['a']);
});

test('start comes before the first message and stop after the last, once each', async () => {
  const { story, cell } = scene((said) => ({
    start: () => void said.push('start'),
    stop: () => void said.push('stop'),
  }));
  cell.send('a');
  cell.send('b');
  await Promise.all([cell.stop(), cell.stop()]);
  expect(story).toEqual(['start', 'a', 'b', 'stop']);
  expect(cell.send('c')).toBe(false);
});

test('a full mailbox refuses, and says so at 1, 2, 4, 8 refused messages', async () => {
  const { clock, story, cell, warnings } = scene(() => ({}), { mailboxLimit: 2 });
  expect(['a', 'b', 'c', 'd', 'e', 'f', 'g'].map(cell.send)).toEqual([true, true, false, false, false, false, false]);
  expect(warnings()).toHaveLength(3);
  await clock.advance(0);
  expect(story).toEqual(['a', 'b']);
  expect(cell.send('h')).toBe(true);
});

test('a mailbox for states drops the oldest', async () => {
  const { clock, story, cell } = scene(() => ({}), { mailboxLimit: 2, overflow: 'drop-oldest' });
  expect(['a', 'b', 'c'].map(cell.send)).toEqual([true, true, true]);
  await clock.advance(0);
  expect(story).toEqual(['b', 'c']);
});

test('an actor that fails is stopped, rests, and is made anew; the failed message is gone, the others are kept', async () => {
  const { clock, story, cell } = scene((said, incarnation) => ({
    start: () => void said.push(`start ${String(incarnation)}`),
    stop: () => void said.push(`stop ${String(incarnation)}`),
    receive: (message) => {
      if (message === 'bad') throw new Error('no');
      said.push(`${message} in ${String(incarnation)}`);
    },
  }));
  cell.send('a');
  cell.send('bad');
  cell.send('b');
  await clock.advance(49);
  cell.send('c');
  await clock.advance(0);
  expect(story).toEqual(['start 1', 'a in 1', 'stop 1']);
  await clock.advance(1);
  expect(story.slice(3)).toEqual(['start 2', 'b in 2', 'c in 2']);
});

test('the rest doubles while it goes on failing, and is short again after 30 s of work', async () => {
  const { clock, story, cell } = scene((said) => ({
    start: () => void said.push(String(clockOf())),
    receive: () => Promise.reject(new Error('no')),
  }));
  const begin = clock.monotonic();
  const clockOf = (): number => clock.monotonic() - begin;
  await clock.advance(0);
  for (const restMs of [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]) {
    const before = story.length;
    cell.send('x');
    await clock.advance(restMs - 1);
    expect(story).toHaveLength(before);
    await clock.advance(1);
    expect(story).toHaveLength(before + 1);
  }
  await clock.advance(30_001);
  cell.send('x');
  await clock.advance(50);
  expect(story).toHaveLength(11);
});

test('a start that fails is tried again until it works, with the messages kept', async () => {
  const { clock, story, cell } = scene((said, incarnation) => ({
    start: () => {
      said.push(`start ${String(incarnation)}`);
      if (incarnation < 4) throw new Error('not yet');
    },
  }));
  cell.send('a');
  await clock.advance(50 + 100 + 199);
  expect(story).toEqual(['start 1', 'start 2', 'start 3']);
  cell.send('b');
  await clock.advance(1);
  expect(story).toEqual(['start 1', 'start 2', 'start 3', 'start 4', 'a', 'b']);
});

test('a constructor that fails at a restart is tried again too', async () => {
  let made = 0;
  const { clock, story, cell } = scene((said, incarnation) => {
    made += 1;
    if (incarnation === 2) throw new Error('cannot be made');
    return {
      receive: (message) => {
        if (message === 'bad') throw new Error('no');
        said.push(message);
      },
    };
  });
  cell.send('bad');
  cell.send('a');
  await clock.advance(50 + 100);
  expect({ made, story }).toEqual({ made: 3, story: ['a'] });
});

test('an actor that is stopped while it rests handles what waits, and ends without waiting for the rest', async () => {
  const { clock, story, cell } = scene((said, incarnation) => ({
    stop: () => void said.push(`stop ${String(incarnation)}`),
    receive: (message) => {
      if (message === 'bad') throw new Error('no');
      said.push(message);
    },
  }));
  cell.send('bad');
  await clock.advance(10);
  cell.send('a');
  const before = clock.monotonic();
  await cell.stop();
  expect(clock.monotonic()).toBe(before);
  expect(story).toEqual(['stop 1', 'a', 'stop 2']);
});

test('an actor that is stopped while it rests with nothing to do is not started again', async () => {
  const { clock, story, cell } = scene((said) => ({
    start: () => void said.push('start'),
    receive: () => {
      throw new Error('no');
    },
  }));
  cell.send('bad');
  await clock.advance(10);
  await cell.stop();
  expect(story).toEqual(['start']);
});

test('an actor that cannot be started ends when it is stopped, gives up what waits and says so', async () => {
  const { clock, cell, warnings } = scene(() => ({ start: () => Promise.reject(new Error('never')) }));
  cell.send('a');
  cell.send('b');
  await clock.advance(1000);
  await cell.stop();
  expect(warnings().at(-1)).toBe('messages were given up, since the actor could not be started');
});

test('a failed actor whose stop fails as well is made anew all the same', async () => {
  const { clock, story, cell } = scene((said, incarnation) => ({
    stop: () => {
      if (incarnation === 1) throw new Error('cannot stop');
    },
    receive: (message) => {
      if (message === 'bad') throw new Error('no');
      said.push(message);
    },
  }));
  cell.send('bad');
  cell.send('a');
  await clock.advance(50);
  expect(story).toEqual(['a']);
});
