import { expect } from 'vitest';
import { testEngine } from './engine-fixture.ts';

export const ROWS = 'select count(*) as n, sum(length(b)) as b from t';
export const SOUND_ROWS = '{"n":2000,"b":120000}';
export const BY_INDEX = "select count(*) as n from t indexed by tb where b >= ''";
export const LONG = 'select length(b) as b from long where a = 1';
export const WORDS = "select count(*) as n from ft where ft match 'word'";
export const BOXES = 'select count(*) as n from rt where low > 100';

export const DAMAGED = 'SEGMENT_DAMAGED';
export const EVERYTHING = [ROWS, BY_INDEX, LONG, WORDS, BOXES, 'select name from sqlite_schema'];

export interface Crafted {
  readonly make: (file: string) => void;
  /** A query, and the code of its error or its rows. */
  readonly asked: readonly (readonly [sql: string, answer: string])[];
  /** What the check says that every file from cold storage goes through. */
  readonly checked: 'ok' | typeof DAMAGED;
}

/** What was answered, or the code of the error. */
export async function outcome(answer: Promise<unknown>): Promise<unknown> {
  return answer.catch((error: unknown) => (error as { code: string }).code);
}

/** Every query, and the check, say that it is damaged. */
export function damaged(make: (file: string) => void, ...queries: readonly string[]): Crafted {
  return { make, asked: queries.map((sql) => [sql, DAMAGED]), checked: DAMAGED };
}

export interface CraftedFixture extends AsyncDisposable {
  readonly at: Awaited<ReturnType<typeof testEngine>>;
  /** Each query has the answer that it must have, and another segment answers meanwhile. */
  readonly holds: (crafted: Crafted) => Promise<void>;
}

export async function craftedFixture(): Promise<CraftedFixture> {
  const at = await testEngine();
  at.make('bystander', 'create table t (a); insert into t values (1)');
  let made = 0;
  return {
    at,
    holds: async ({ make, asked, checked }) => {
      made += 1;
      const segment = `crafted-${String(made)}`;
      const file = at.fileOf(segment);
      make(file);
      for (const [sql, answer] of asked) {
        const got = outcome(at.text({ segment, sql, deadlineMs: answer === 'ENGINE_DEADLINE' ? 400 : 20_000 }));
        expect(await at.text({ segment: 'bystander', sql: 'select a from t' })).toBe('{"a":1}');
        expect(await got, sql).toBe(answer);
      }
      expect(await outcome(at.engine.verify(file).then(() => 'ok'))).toBe(checked);
    },
    [Symbol.asyncDispose]: () => at[Symbol.asyncDispose](),
  };
}
