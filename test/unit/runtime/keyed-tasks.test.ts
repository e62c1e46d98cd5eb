import { expect, test } from 'vitest';
import { KeyedTasks } from '../../../src/runtime/keyed-tasks.ts';

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('tasks of one key run in the order they came, those of other keys beside them', async () => {
  const tasks = new KeyedTasks({ parallel: 4, waiting: 100 });
  const story: string[] = [];
  const hold = Promise.withResolvers<undefined>();
  const first = tasks.run('a', async () => {
    story.push('a1 begins');
    await hold.promise;
    story.push('a1 ends');
  });
  const second = tasks.run('a', () => Promise.resolve(story.push('a2')));
  await tasks.run('b', () => Promise.resolve(story.push('b1')));
  expect(story).toEqual(['a1 begins', 'b1']);
  hold.resolve(undefined);
  await Promise.all([first, second]);
  expect(story).toEqual(['a1 begins', 'b1', 'a1 ends', 'a2']);
});

test('no more than the stated number run at one time, and all of them run', async () => {
  const tasks = new KeyedTasks({ parallel: 3, waiting: 100 });
  let running = 0;
  let most = 0;
  const results = await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      tasks.run(`key ${String(index % 20)}`, async () => {
        running += 1;
        most = Math.max(most, running);
        await settle();
        running -= 1;
        return index;
      }),
    ),
  );
  expect(most).toBe(3);
  expect(results).toEqual(Array.from({ length: 50 }, (_, index) => index));
});

test('one more than may wait is refused, and there is room again afterwards', async () => {
  const tasks = new KeyedTasks({ parallel: 1, waiting: 2 });
  const hold = Promise.withResolvers<undefined>();
  const held = ['a', 'b', 'c'].map((key) => tasks.run(key, () => hold.promise));
  await expect(tasks.run('d', () => Promise.resolve())).rejects.toMatchObject({ code: 'MAILBOX_FULL' });
  hold.resolve(undefined);
  await Promise.all(held);
  expect(await tasks.run('d', () => Promise.resolve('done'))).toBe('done');
});

test('a task that fails gives its place back, and the next of its key runs', async () => {
  const tasks = new KeyedTasks({ parallel: 1, waiting: 10 });
  const failing = tasks.run('a', () => Promise.reject(new Error('no')));
  const next = tasks.run('a', () => Promise.resolve('next'));
  await expect(failing).rejects.toThrow('no');
  expect(await next).toBe('next');
});

test('idle waits for all that run and wait, and for nothing when there is nothing', async () => {
  const tasks = new KeyedTasks({ parallel: 1, waiting: 10 });
  await tasks.idle();
  const done: number[] = [];
  for (const index of [1, 2, 3]) {
    void tasks.run('a', async () => {
      await settle();
      done.push(index);
    });
  }
  await tasks.idle();
  expect(done).toEqual([1, 2, 3]);
});
