import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { SharedSyncs } from '../../../src/cold/shared-syncs.ts';

/** Syncs that end when they are told to. */
function byHand(): { syncs: SharedSyncs; started: string[]; end: (error?: Error) => Promise<void> } {
  const started: string[] = [];
  const ends: ((error?: Error) => void)[] = [];
  const syncs = new SharedSyncs((directory) => {
    started.push(directory);
    return new Promise((resolve, reject) => {
      ends.push((error) => {
        if (error === undefined) resolve();
        else reject(error);
      });
    });
  });
  const end = async (error?: Error): Promise<void> => {
    ends.shift()?.(error);
    await setImmediate();
  };
  return { syncs, started, end };
}

async function isSettled(promise: Promise<void>): Promise<boolean> {
  return Promise.race([
    promise.then(
      () => true,
      () => true,
    ),
    setImmediate(false),
  ]);
}

test('whoever asks while a sync runs waits for the next one, which all of them share', async () => {
  const { syncs, started, end } = byHand();
  const first = syncs.sync('a');
  const later = [syncs.sync('a'), syncs.sync('a'), syncs.sync('a')];
  expect(started).toEqual(['a']);
  await end();
  expect(await isSettled(first)).toBe(true);
  expect(started).toEqual(['a', 'a']);
  for (const one of later) expect(await isSettled(one)).toBe(false);
  const last = syncs.sync('a');
  await end();
  await Promise.all(later);
  expect(await isSettled(last)).toBe(false);
  await end();
  await last;
  expect(started).toEqual(['a', 'a', 'a']);
});

test('after a pause a sync begins at once, and another directory does not wait', async () => {
  const { syncs, started, end } = byHand();
  const first = syncs.sync('a');
  const other = syncs.sync('b');
  expect(started).toEqual(['a', 'b']);
  await end();
  await end();
  await Promise.all([first, other]);
  const again = syncs.sync('a');
  expect(started).toEqual(['a', 'b', 'a']);
  await end();
  await again;
});

test('a sync that fails fails for those who waited for it, and the next one runs', async () => {
  const { syncs, started, end } = byHand();
  const first = syncs.sync('a');
  const second = syncs.sync('a');
  const failed = expect(first).rejects.toThrow('no');
  await end(new Error('no'));
  await failed;
  expect(started).toEqual(['a', 'a']);
  await end();
  await second;
});
