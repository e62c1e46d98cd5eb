import { expect, test } from 'vitest';
import { type TroughError } from '../../src/errors.ts';
import { eventually } from '../support/eventually.ts';
import { bodyOf, numbers, testEngine } from '../unit/engine/engine-fixture.ts';
import { stampedScript } from '../support/stamped.ts';

const KILLS_EACH = 100;
/** Two for queries, one for writes. */
const PLACES = 3;
const ROWS = 5_000;
const WIDTH = 100;

type TestEngine = Awaited<ReturnType<typeof testEngine>>;

test('kill -9 of each process of the engine, a hundred times, under load: no answer wrong, cut short or doubled, no commit lost', async () => {
  await using at = await testEngine({ queryChildren: 2, writerChildren: 1 });
  at.make('s', `create table t (id integer primary key, b); insert into t ${numbers(ROWS, WIDTH)}`);
  at.make('w', 'create table w (i)');
  const load = new Load(at);
  for (let kill = 0; kill < KILLS_EACH * PLACES; kill += 1) {
    const pids = await eventually(
      'all run again',
      () => at.engine.childPids().length >= PLACES && at.engine.childPids(),
    );
    const { restarts } = at.engine.stats();
    const [right, written] = [load.right, load.acknowledged.size];
    // The processes for queries come first, the one for writes last.
    process.kill(pids[kill % PLACES === 2 ? pids.length - 1 : kill % PLACES] ?? 0, 'SIGKILL');
    await eventually('the death is seen', () => at.engine.stats().restarts > restarts);
    await eventually('answers go on', () => load.right > right, 60_000);
    if (kill % PLACES === 2) await eventually('writes go on', () => load.acknowledged.size > written, 60_000);
  }
  await load.finish();
  expect(load.wrong).toEqual([]);
  expect(load.settled).toBe(load.asked);

  const text = await at.text({ segment: 'w', live: true, sql: 'select i from w', format: 'csv' });
  const kept = text.trimEnd().split('\r\n').slice(1).map(Number);
  expect(new Set(kept).size).toBe(kept.length);
  const there = new Set(kept);
  expect([...load.acknowledged].filter((value) => !there.has(value))).toEqual([]);
  expect(kept.filter((value) => !load.acknowledged.has(value) && !load.unsure.has(value))).toEqual([]);
}, 300_000);

/** Point reads, long answers and writes, until told to finish. */
class Load {
  asked = 0;
  /** Answered, rightly or not, or failed. */
  settled = 0;
  right = 0;
  readonly wrong: string[] = [];
  readonly acknowledged = new Set<number>();
  /** Commits whose process died before it answered: they may have been kept. */
  readonly unsure = new Set<number>();
  readonly #at: TestEngine;
  readonly #loops: Promise<void>[];
  #isOver = false;

  constructor(at: TestEngine) {
    this.#at = at;
    const readers = Array.from({ length: 8 }, (_, index) => this.#readOn(index === 0));
    this.#loops = [...readers, this.#writeOn()];
  }

  async finish(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#loops);
  }

  #goesOn(): boolean {
    return !this.#isOver;
  }

  async #readOn(readsAll: boolean): Promise<void> {
    while (this.#goesOn()) {
      this.asked += 1;
      const id = ((this.asked * 7) % ROWS) + 1;
      const ids = readsAll ? Array.from({ length: ROWS }, (_, index) => index + 1) : [id];
      const sql = `select id, b from t where ${readsAll ? `id > 0 order by id` : `id = ${String(id)}`}`;
      const expected = ids
        .map((each) => `{"id":${String(each)},"b":"${String(each).padStart(WIDTH, '0')}"}\n`)
        .join('');
      await this.#read(sql, expected);
      this.settled += 1;
    }
  }

  async #read(sql: string, expected: string): Promise<void> {
    try {
      const text = await bodyOf(await this.#at.query({ sql, format: 'ndjson', deadlineMs: 60_000 }));
      if (text === expected) this.right += 1;
      else this.wrong.push(`${sql}: ${text.slice(0, 200)}`);
    } catch (error) {
      if ((error as TroughError).code !== 'ENGINE_CHILD_DIED') this.wrong.push(`${sql}: ${String(error)}`);
    }
  }

  async #writeOn(): Promise<void> {
    let value = 0;
    while (this.#goesOn()) {
      try {
        await using session = await this.#at.engine.openWriter({ segment: 'w', file: this.#at.fileOf('w') });
        do {
          value += 1;
          const sql = `insert into w values (${String(value)})`;
          await session.apply([stampedScript(sql)], 60_000);
          this.unsure.add(value);
          await session.commit();
          this.unsure.delete(value);
          this.acknowledged.add(value);
        } while (this.#goesOn());
      } catch (error) {
        if ((error as TroughError).code !== 'ENGINE_CHILD_DIED')
          this.wrong.push(`write ${String(value)}: ${String(error)}`);
      }
    }
  }
}
