import { expect, test } from 'vitest';
import { Turns } from '../../../src/runtime/turns.ts';

test('pieces of work run one at a time, in the order asked, also after one that failed', async () => {
  const turns = new Turns();
  const story: string[] = [];
  const piece = (name: string) => async (): Promise<string> => {
    story.push(`${name} begins`);
    await new Promise((resolve) => setImmediate(resolve));
    story.push(`${name} ends`);
    if (name === 'b') throw new Error('no');
    return name;
  };
  const results = await Promise.allSettled(['a', 'b', 'c'].map((name) => turns.take(piece(name))));
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(story).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
});
