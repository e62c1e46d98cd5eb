import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ReplayRecord, type StampedWrite, type WriteSession } from '../../../src/engine/engine.ts';
import { launcher } from '../../../src/engine/process-launch.ts';
import { appliedMark } from '../../../src/model/applied-mark.ts';
import { canonicalDump } from '../../support/canonical-dump.ts';
import { STAMP, stamped, stampedScript } from '../../support/stamped.ts';
import { ENDLESS, testEngine } from './engine-fixture.ts';

let at: Awaited<ReturnType<typeof testEngine>>;
beforeAll(async () => {
  at = await testEngine({ writerChildren: 1, memoryBytes: 512 * 2 ** 20 });
});
afterAll(() => at[Symbol.asyncDispose]());

const SCHEMA = 'create table t (id integer primary key, a, b default current_timestamp, c default (random()))';
const open = (segment: string, schemaSql = SCHEMA): Promise<WriteSession> =>
  at.engine.openWriter({ segment, file: at.fileOf(segment), schemaSql, schemaStamp: STAMP });

async function recorded(
  session: WriteSession,
  sequence: number,
  writes: readonly StampedWrite[],
): Promise<ReplayRecord> {
  const outcomes = await session.apply(writes, 10_000);
  await session.commit({ sequence });
  const done = writes.flatMap((write, index) => {
    const outcome = outcomes[index];
    return outcome?.ok === true ? [{ ...write, results: outcome.results }] : [];
  });
  return { sequence, sqliteVersion: session.sqliteVersion, writes: done };
}

function dumpOf(file: string): string {
  const db = new Database(file, { readonly: true });
  try {
    return canonicalDump(db);
  } finally {
    db.close();
  }
}

test('what was recorded of one session makes the same segment in another', async () => {
  await using first = await open('first');
  await using second = await open('second');
  const records: ReplayRecord[] = [];
  for (let sequence = 1; sequence <= 20; sequence += 1) {
    const seed = sequence.toString(16).padStart(32, '0');
    const params = [BigInt(sequence), 5, 'é', null, Uint8Array.of(0, 255), -0.5];
    const writes = [
      ...params.map((a) =>
        stamped({ kind: 'statements', statements: [{ sql: 'insert into t (a) values (?)', params: [a] }] }, { seed }),
      ),
      stampedScript('insert into t (id, a) values (1, 2)', { seed }),
      stampedScript("update t set c = random() where id % 3 = 0; delete from t where typeof(a) = 'null'", {
        timeMs: sequence,
      }),
    ];
    records.push(await recorded(first, sequence, writes));
  }
  expect(records.map(({ writes }) => writes.length)).toEqual(Array(20).fill(7));
  await second.replay(records.slice(0, 7), 10_000);
  expect(await second.applied()).toBe(7);
  await second.replay(records.slice(7), 10_000);
  expect(await second.applied()).toBe(20);
  expect(dumpOf(at.fileOf('second'))).toBe(dumpOf(at.fileOf('first')));
});

test('a record that is replayed twice is seen to differ, and nothing of it stays', async () => {
  await using session = await open('twice');
  const record = await recorded(session, 1, [stampedScript('insert into t (a) values (1)')]);
  await expect(session.replay([record], 10_000)).rejects.toMatchObject({
    code: 'REPLAY_DIFFERS',
    context: { segment: 'twice', sequence: 1, write: 1 },
  });
  await expect(session.replay([{ ...record, sqliteVersion: '3.0.0' }], 10_000)).rejects.toMatchObject({
    code: 'REPLAY_OTHER_SQLITE',
  });
  expect(await at.text({ segment: 'twice', live: true, sql: 'select count(*) as n from t' })).toBe('{"n":1}');
  expect(await session.applied()).toBe(1);
});

test('the mark is set with the commit and lost with a rollback; a snapshot tells it and has the value of the user', async () => {
  const file = at.make('marked', `pragma application_id = 252006675; ${SCHEMA}`);
  await using session = await at.engine.openWriter({ segment: 'marked', file });
  expect(await session.applied()).toBe(252006675);
  await session.apply([], 1_000);
  await session.commit({ sequence: 5_000_000_000 });
  expect(await session.applied()).toBe(appliedMark(5_000_000_000));
  await session.apply([stampedScript('insert into t (a) values (1)')], 1_000);
  await session.rollback();
  await session.apply([stampedScript('insert into t (a) values (1)')], 1_000);
  await session.commit();
  expect(await session.applied()).toBe(705_032_704);
  const header = async (name: string, applicationId?: number): Promise<unknown> => {
    const { applied } = await session.snapshot(`${file}.${name}`, { applicationId });
    const db = new Database(`${file}.${name}`, { readonly: true });
    const kept = db.pragma('application_id', { simple: true });
    db.close();
    return [applied, kept];
  };
  expect(await header('user', 252006675)).toEqual([705_032_704, 252006675]);
  expect(await header('negative', -2)).toEqual([705_032_704, -2]);
  expect(await header('kept')).toEqual([705_032_704, 705_032_704]);
});

test('a new segment is made at the moment that it is told', async () => {
  const schema = `${SCHEMA}; insert into t (a) values (randomblob(8)), (datetime('now'))`;
  await (await open('made-1', schema))[Symbol.asyncDispose]();
  await (await open('made-2', schema))[Symbol.asyncDispose]();
  expect(dumpOf(at.fileOf('made-2'))).toBe(dumpOf(at.fileOf('made-1')));
  expect(dumpOf(at.fileOf('made-1'))).toContain("'2026-11-21 12:34:56'");
});

const HUNGRY = 'select hex(zeroblob(240000000))';

test.runIf(launcher().limits)(
  'a write that needs more memory than there is fails alone: the others of its group and the other segments go on',
  async () => {
    await using hungry = await open('hungry');
    await using other = await open('beside');
    const insert = stampedScript('insert into t (a) values (1)');
    const [before, failed, after] = await hungry.apply(
      [insert, stampedScript(`insert into t (a) values (2); insert into t (a) ${HUNGRY}`), insert],
      60_000,
    );
    expect([before, after]).toMatchObject([{ ok: true }, { ok: true }]);
    expect(failed).toMatchObject({ ok: false, error: { code: 'ENGINE_MEMORY' } });
    await hungry.commit({ sequence: 1 });
    expect(await at.text({ segment: 'hungry', live: true, sql: 'select id, a from t' })).toBe(
      '{"id":1,"a":1},\n{"id":2,"a":1}',
    );
    await recorded(other, 1, [insert]);
  },
);

test('an endless write leaves nothing; the other segments of its process can be opened again at once, with all that was committed', async () => {
  await using bad = await open('endless');
  const names = ['endless-1', 'endless-2', 'endless-3'];
  const others = await Promise.all(names.map((name) => open(name)));
  const insert = stampedScript('insert into t (a) values (1)');
  for (const session of others) await recorded(session, 7, [insert]);
  const [uncommitted] = others;
  await uncommitted?.apply([insert], 1_000);
  const endless = bad.apply([insert, stampedScript(`insert into t (a) ${ENDLESS}`)], 500);
  await expect(endless).rejects.toMatchObject({ code: 'ENGINE_DEADLINE' });
  await Promise.all([...others, bad].map((session) => session.lost));
  const again = await Promise.all(['endless', ...names].map((name) => open(name)));
  expect(await Promise.all(again.map((session) => session.applied()))).toEqual([0, 7, 7, 7]);
  const counts = ['endless', ...names].map((segment) =>
    at.text({ segment, live: true, sql: 'select count(*) as n from t' }),
  );
  expect(await Promise.all(counts)).toEqual(['{"n":0}', '{"n":1}', '{"n":1}', '{"n":1}']);
  for (const session of again) await recorded(session, 8, [insert]);
  await Promise.all([...others, ...again].map((session) => session[Symbol.asyncDispose]()));
});
