import { expect, test } from 'vitest';
import { Supervisor } from '../../../src/runtime/supervisor.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { recordingLog } from '../../support/recording-log.ts';

function scene(): { clock: ManualClock; supervisor: Supervisor; story: string[]; said: () => string[] } {
  const clock = new ManualClock();
  const { log, lines } = recordingLog();
  const supervisor = new Supervisor({ clock, log, random: () => 0, graceMs: 1000 });
  return { clock, supervisor, story: [], said: () => lines.map(({ msg }) => msg) };
}

test('everything stops in reverse order of start, each after the other has ended', async () => {
  const { supervisor, story } = scene();
  const adopt = (name: string): void => {
    supervisor.adopt(name, async () => {
      story.push(`${name} begins to stop`);
      await Promise.resolve();
      story.push(`${name} has stopped`);
    });
  };
  adopt('store');
  supervisor.spawn(() => ({
    name: 'actor',
    receive: () => undefined,
    start: () => undefined,
    stop: () => void story.push('actor has stopped'),
  }));
  adopt('server');
  await new Promise((resolve) => setImmediate(resolve));
  await supervisor.stop();
  expect(story).toEqual([
    'server begins to stop',
    'server has stopped',
    'actor has stopped',
    'store begins to stop',
    'store has stopped',
  ]);
});

test('a child that does not end in its grace time is left behind, and the others are stopped', async () => {
  const { clock, supervisor, story, said } = scene();
  supervisor.adopt('first', () => void story.push('first has stopped'));
  supervisor.adopt('stuck', () => new Promise<void>(() => undefined));
  const stopping = supervisor.stop();
  await clock.advance(999);
  expect(story).toEqual([]);
  await clock.advance(1);
  await stopping;
  expect(story).toEqual(['first has stopped']);
  expect(said()).toEqual(['did not stop in its grace time and is left behind']);
});

test('a child whose stop fails does not keep the others from stopping', async () => {
  const { supervisor, story, said } = scene();
  supervisor.adopt('first', () => void story.push('first has stopped'));
  supervisor.adopt('broken', () => {
    throw new Error('no');
  });
  await supervisor.stop();
  expect(story).toEqual(['first has stopped']);
  expect(said()).toEqual(['failed while it was stopped']);
});

test('all who ask for the stop wait for the same one', async () => {
  const { supervisor, story } = scene();
  supervisor.adopt('one', () => void story.push('stopped'));
  await Promise.all([supervisor.stop(), supervisor.stop(), supervisor[Symbol.asyncDispose]()]);
  expect(story).toEqual(['stopped']);
});

test('a timer sends its message each period, and no more once stopped', async () => {
  const { clock, supervisor, story } = scene();
  const actor = supervisor.spawn<string>(() => ({ name: 'actor', receive: (message) => void story.push(message) }));
  let tick = 0;
  supervisor.every(100, actor, () => `tick ${String((tick += 1))}`);
  await clock.advance(99);
  expect(story).toEqual([]);
  await clock.advance(201);
  expect(story).toEqual(['tick 1', 'tick 2', 'tick 3']);
  await supervisor.stop();
  await clock.advance(1000);
  expect({ story: story.length, tick }).toEqual({ story: 3, tick: 3 });
});

test('nothing starts while it stops; what is adopted meanwhile is stopped next, and refused afterwards', async () => {
  const { supervisor, story } = scene();
  supervisor.adopt('first', () => void story.push('first'));
  supervisor.adopt('last', () => {
    story.push('last');
    supervisor.adopt('late', () => void story.push('late'));
    expect(() => supervisor.spawn(() => ({ name: 'actor', receive: () => undefined }))).toThrow(
      expect.objectContaining({ code: 'STOPPING' }),
    );
  });
  await supervisor.stop();
  expect(story).toEqual(['last', 'late', 'first']);
  expect(() => {
    supervisor.adopt('too late', () => undefined);
  }).toThrow(expect.objectContaining({ code: 'STOPPING' }));
});
