import { chmod, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { tempDir } from '../../support/temp-dir.ts';
import { eventually } from '../../support/eventually.ts';
import { numbers, openFilesOf, streamOf, testEngine } from './engine-fixture.ts';

/** A file whose header says WAL, closed well: without anything beside it. */
function makeInWalMode(file: string): void {
  const db = new Database(file);
  db.pragma('journal_mode = wal');
  db.exec('create table t (a); insert into t values (1), (2)');
  db.close();
}

test('reading and checking a copy in WAL mode leaves nothing beside it, whatever its name', async () => {
  await using at = await testEngine({ queryChildren: 1 });
  await using dir = await tempDir();
  const names = ['plain.sqlite', 'ünï cödé.sqlite', 'a?b#c%41.sqlite', 'it\'s "q".sqlite'];
  for (const name of names) {
    const file = join(dir.path, name);
    makeInWalMode(file);
    expect(await at.text({ segment: name, file, sql: 'select sum(a) as s from t' })).toBe('{"s":3}');
    await at.engine.verify(file);
  }
  expect((await readdir(dir.path)).sort()).toEqual(names.sort());
});

test('a copy in WAL mode is read where nothing may be written', async () => {
  await using at = await testEngine({ queryChildren: 1 });
  await using dir = await tempDir();
  const file = join(dir.path, 'copy.sqlite');
  makeInWalMode(file);
  await chmod(file, 0o444);
  await chmod(dir.path, 0o555);
  try {
    expect(await at.text({ file, sql: 'select sum(a) as s from t' })).toBe('{"s":3}');
  } finally {
    await chmod(dir.path, 0o755);
  }
});

test('a copy is read as it is: a WAL that somebody left beside it is not part of it', async () => {
  await using at = await testEngine({ queryChildren: 1 });
  const file = at.make('s', 'create table t (a); insert into t values (1)');
  const writer = new Database(file);
  writer.pragma('journal_mode = wal');
  writer.pragma('wal_autocheckpoint = 0');
  writer.exec('insert into t values (2)');
  expect(await at.text({ sql: 'select sum(a) as s from t' })).toBe('{"s":1}');
  expect(await at.text({ sql: 'select sum(a) as s from t', live: true })).toBe('{"s":3}');
  writer.close();
});

test('a check reads what a crash has left in the WAL', async () => {
  await using at = await testEngine({ queryChildren: 1 });
  const file = at.make('s', 'create table t (a)');
  const writer = new Database(file);
  writer.pragma('journal_mode = wal');
  writer.pragma('wal_autocheckpoint = 0');
  await at.engine.verify(file);
  writer.unsafeMode();
  writer.exec("pragma writable_schema = on; update sqlite_schema set rootpage = 99 where name = 't'");
  await expect(at.engine.verify(file)).rejects.toMatchObject({ code: 'SEGMENT_DAMAGED' });
  writer.close();
});

test('a copy that was replaced is read anew; one that is gone is unknown', async () => {
  await using at = await testEngine({ queryChildren: 1 });
  const file = at.make('s', 'create table t (a); insert into t values (1)');
  expect(await at.text({ sql: 'select a from t' })).toBe('{"a":1}');
  await rm(file);
  await expect(at.text({ sql: 'select a from t', version: '2' })).rejects.toMatchObject({ code: 'SEGMENT_UNKNOWN' });
  at.make('s', 'create table t (a); insert into t values (2)');
  expect(await at.text({ sql: 'select a from t', version: '3' })).toBe('{"a":2}');
});

test.runIf(process.platform === 'linux')(
  'a file that is forgotten is closed in every process, once nobody reads it any more: its room on the disk is free',
  async () => {
    await using at = await testEngine({ queryChildren: 2, slowChildren: 1 });
    const copy = at.make('copy', `create table t (x, b); insert into t ${numbers(20_000, 100)}`);
    const live = at.make('live', `pragma journal_mode = wal; create table t (x, b); insert into t ${numbers(3)}`);
    const holds = (file: string): string[] =>
      at.engine.childPids().flatMap((pid) => openFilesOf(pid).filter((path) => path.startsWith(file)));
    const sql = 'select count(*) as n from t';
    // Segments of one file: they have different homes.
    const segments = Array.from({ length: 8 }, (_, index) => `s${String(index)}`);
    await eventually('both have it open', async () => {
      for (const segment of segments) expect(await at.text({ segment, file: copy, sql })).toBe('{"n":20000}');
      return holds(copy).length === 2;
    });
    expect(await at.text({ segment: 'live', live: true, sql })).toBe('{"n":3}');
    const reader = streamOf(await at.query({ segment: 's1', file: copy, sql: 'select * from t' }))[
      Symbol.asyncIterator
    ]();
    await reader.next();
    for (const file of [copy, live]) {
      for (const suffix of ['', '-wal', '-shm']) await rm(file + suffix, { force: true });
      at.engine.forget(file);
    }
    await eventually(
      'all are closed but the one that is read',
      () => holds(copy).length === 1 && holds(live).length === 0,
    );
    await reader.return?.();
    await eventually('that one too', () => holds(copy).length === 0);
    await expect(at.text({ segment: 'live', live: true, sql })).rejects.toMatchObject({ code: 'SEGMENT_UNKNOWN' });
  },
);

test('a file that is forgotten and is there is opened again', async () => {
  await using at = await testEngine({ queryChildren: 1 });
  const file = at.make('s', 'create table t (a); insert into t values (1)');
  const answers = Array.from({ length: 50 }, async (_, index) => {
    const text = at.text({ sql: 'select a from t' });
    if (index % 5 === 0) at.engine.forget(file);
    return text;
  });
  expect(new Set(await Promise.all(answers))).toEqual(new Set(['{"a":1}']));
});
