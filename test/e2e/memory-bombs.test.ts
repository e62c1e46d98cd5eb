import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/runtime/clock.ts';
import { readFrom } from '../support/api.ts';
import { attackTarget, type AttackTarget } from '../support/attack-target.ts';
import { eventually } from '../support/eventually.ts';
import { BOMB_MEMORY, LARGE_SORT, MEMORY_BOMBS } from '../support/memory-bombs.ts';

let target: AttackTarget;
let files: Record<string, string>;
let processes: number;
/** Processes that are started when they are first needed. */
const MORE_PROCESSES = 6;
/** Between two reads of one reader: they are there to be hurt, not to take the processors from the bombs. */
const PAUSE_MS = 10;

beforeAll(async () => {
  target = await attackTarget('--engine-memory', BOMB_MEMORY, '--query-deadline', '60s');
  expect(await target.brokenSegments()).toEqual([]);
  files = await target.files();
  processes = await target.processes();
});

afterAll(async () => {
  await target[Symbol.asyncDispose]();
});

/** What others get meanwhile, on the same node and the same segments. */
async function besideReads<T>(work: () => Promise<T>): Promise<{ readonly done: T; readonly reads: Set<string> }> {
  const reads = new Set<string>();
  let isOver = false;
  const goesOn = (): boolean => !isOver;
  const reader = async (segment: string): Promise<void> => {
    do {
      const answer = await readFrom(target.run, segment, 'select a from t').catch((error: unknown) => error);
      reads.add(answer instanceof Error ? answer.message : JSON.stringify(answer));
      await new Promise<void>((resolve) => systemClock.after(PAUSE_MS, resolve));
    } while (goesOn());
  };
  const readers = ['live', 'copy'].map(reader);
  try {
    return { done: await work(), reads };
  } finally {
    isOver = true;
    await Promise.all(readers);
  }
}

describe('a query that eats memory ends with ENGINE_MEMORY on every face, and all others are answered', () => {
  it.each(MEMORY_BOMBS)('$title', async (bomb) => {
    const { done, reads } = await besideReads(() => target.wrongAnswers(bomb));
    expect(done).toEqual([]);
    expect([...reads]).toEqual(['[{"a":1}]']);
    expect(await target.brokenSegments()).toEqual([]);
    expect(await target.files()).toEqual(files);
  });

  it('leaves no more processes than there should be', async () => {
    await eventually('no more', async () => (await target.processes()) <= processes + MORE_PROCESSES);
  });
});

it('a sort of five million rows is answered, and so are all others meanwhile', async () => {
  const { done, reads } = await besideReads(() => readFrom(target.run, 'copy', LARGE_SORT.sql));
  expect(done).toEqual(LARGE_SORT.answer);
  expect([...reads]).toEqual(['[{"a":1}]']);
  expect(await target.files()).toEqual(files);
});
