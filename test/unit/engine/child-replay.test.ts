import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { applicationId, sqliteVersion } from '../../../src/engine/child-header.ts';
import { replayRecords } from '../../../src/engine/child-replay.ts';
import { type WireRecord, type WireWrite } from '../../../src/engine/messages.ts';
import { TroughError } from '../../../src/errors.ts';
import { canonicalDump } from '../../support/canonical-dump.ts';
import { REPLAY_SCHEMA, replayScript } from '../../support/replay-scripts.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { OpenWriter, wireScript } from './child-fixture.ts';

let dir: Awaited<ReturnType<typeof tempDir>>;
let files = 0;
const newFile = (): string => join(dir.path, `${String((files += 1))}.sqlite`);
beforeAll(async () => {
  dir = await tempDir();
});
afterAll(() => dir[Symbol.asyncDispose]());

/** A file with the schema, to start from as often as wanted. */
function base(schema: string): string {
  const file = newFile();
  using at = new OpenWriter(file);
  at.runner.runAlone(schema, wireScript(''));
  return file;
}

function copyOf(file: string): string {
  const copy = newFile();
  copyFileSync(file, copy);
  return copy;
}

/** Applies each group, and records what was applied as a journal does. */
function recordGroups(at: OpenWriter, groups: readonly (readonly WireWrite[])[]): WireRecord[] {
  return groups.map((group, index) => {
    const outcomes = at.runner.apply(group);
    const writes = group.flatMap((write, place) => {
      const outcome = outcomes[place];
      return outcome?.ok === true ? [{ ...write, results: outcome.results }] : [];
    });
    if (writes.length > 0) at.runner.commit();
    else at.runner.rollback();
    return { sequence: index + 1, sqliteVersion: sqliteVersion(at.db), writes };
  });
}

/** What it was given, in lists of these lengths. */
function cut<T>(items: readonly T[], lengths: readonly number[]): T[][] {
  const lists: T[][] = [];
  let from = 0;
  for (let turn = 0; from < items.length; turn += 1) {
    const length = lengths[turn % lengths.length] ?? 1;
    lists.push(items.slice(from, from + length));
    from += length;
  }
  return lists;
}

function replay(file: string, batches: readonly (readonly WireRecord[])[]): void {
  let at = new OpenWriter(file);
  for (const [index, batch] of batches.entries()) {
    replayRecords(at.db, at.runner, batch);
    if (index % 2 === 0) continue;
    at[Symbol.dispose]();
    at = new OpenWriter(file);
  }
  at[Symbol.dispose]();
}

test('whatever scripts run, in whatever groups: their replay makes the same content as the first run', () => {
  const schema = base(REPLAY_SCHEMA);
  const lengths = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 });
  const stamp = fc.record({
    timeMs: fc.integer({ min: 0, max: 4e12 }),
    seed: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('hex')),
  });
  const writes = fc.array(fc.tuple(replayScript, stamp), { minLength: 1, maxLength: 25 });
  const seen = { ok: 0, failed: 0 };
  fc.assert(
    fc.property(writes, lengths, lengths, (scripts, groups, batches) => {
      const [first, second] = [copyOf(schema), copyOf(schema)];
      const stamped = scripts.map(([sql, at]) => wireScript(sql, at));
      using at = new OpenWriter(first);
      const records = recordGroups(at, cut(stamped, groups));
      const applied = records.reduce((sum, record) => sum + record.writes.length, 0);
      seen.ok += applied;
      seen.failed += scripts.length - applied;
      replay(second, cut(records, batches));
      using again = new OpenWriter(second);
      expect(canonicalDump(again.db)).toBe(canonicalDump(at.db));
      expect(again.rows('pragma integrity_check')).toEqual([['ok']]);
    }),
    { numRuns: 40 },
  );
  expect(seen.ok).toBeGreaterThan(100);
  expect(seen.failed).toBeGreaterThan(20);
}, 120_000);

test('after a replay the file is marked with the last sequence, in the low 32 bits', () => {
  using at = new OpenWriter(base('create table t (a)'));
  const version = sqliteVersion(at.db);
  replayRecords(at.db, at.runner, [{ sequence: 2 ** 32 + 7, sqliteVersion: version, writes: [] }]);
  expect(applicationId(at.db)).toBe(7);
  replayRecords(at.db, at.runner, [{ sequence: 2 ** 32 - 1, sqliteVersion: version, writes: [] }]);
  expect(applicationId(at.db)).toBe(-1);
});

function difference(run: () => void): TroughError {
  try {
    run();
  } catch (error) {
    if (error instanceof TroughError) return error;
    throw error;
  }
  throw new Error('there was none');
}

test.each<[string, string, (record: WireRecord) => WireRecord]>([
  ['a failure', 'it failed: no such table: u', (record) => changed(record, { sql: 'insert into u values (1)' })],
  [
    'a count',
    'its statement 1 changed 2 rows up to row 2 in place of 1 up to row 1',
    (record) => changed(record, { sql: 'insert into t values (1), (2)' }),
  ],
  [
    'a row',
    'its statement 1 changed 1 rows up to row 9 in place of 1 up to row 1',
    (record) => changed(record, { sql: 'insert into t (rowid) values (9)' }),
  ],
  [
    'a number of statements',
    'it has 2 statements in place of 1',
    (record) => changed(record, { sql: 'insert into t values (1); select 1' }),
  ],
])('a replay stops at %s that differs, and leaves nothing of the call', (_, said, change) => {
  using at = new OpenWriter(base('create table t (a)'));
  using other = new OpenWriter(base('create table t (a)'));
  const [first, second] = recordGroups(other, [
    [wireScript('insert into t values (1)')],
    [wireScript('insert into t values (2)')],
  ]);
  if (first === undefined || second === undefined) throw new Error('no records');
  const error = difference(() => {
    replayRecords(at.db, at.runner, [change(first), second]);
  });
  expect(error).toMatchObject({ code: 'REPLAY_DIFFERS', context: { sequence: 1, write: 1 } });
  expect(error.message).toContain(said);
  expect(at.db.inTransaction).toBe(false);
  expect([at.rows('select * from t'), applicationId(at.db)]).toEqual([[], 0]);
  replayRecords(at.db, at.runner, [first, second]);
  expect(at.rows('select * from t')).toEqual([[1n], [2n]]);
});

function changed(record: WireRecord, { sql }: { readonly sql: string }): WireRecord {
  return { ...record, writes: record.writes.map((write) => ({ ...write, request: { kind: 'script', sql } })) };
}

test('a record of another SQLite is not replayed, nor what comes with it', () => {
  using at = new OpenWriter(base('create table t (a)'));
  const [record] = recordGroups(at, [[wireScript('insert into t values (1)')]]);
  if (record === undefined) throw new Error('no record');
  const error = difference(() => {
    replayRecords(at.db, at.runner, [record, { ...record, sequence: 2, sqliteVersion: '3.1.0' }]);
  });
  expect(error).toMatchObject({ code: 'REPLAY_OTHER_SQLITE', context: { sequence: 2, written: '3.1.0' } });
  expect(at.rows('select count(*) from t')).toEqual([[1n]]);
});
