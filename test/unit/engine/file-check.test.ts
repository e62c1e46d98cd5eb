import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkDeadlineMs, whoseCheckEnds } from '../../../src/engine/file-check.ts';
import { TroughError } from '../../../src/errors.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { testEngine } from './engine-fixture.ts';

/** On a connection that may write, as the one that finishes a snapshot, quick_check evaluates the CHECK of every row: minutes for all of these. */
const ENDLESS_CHECK = `pragma ignore_check_constraints = on;
  create table t (a check (length(hex(zeroblob(5000000 + a))) > 0));
  insert into t with recursive c(x) as (select 1 union all select x + 1 from c limit 50000) select x from c`;

test('a snapshot whose check does not end is damaged, and the checks of other files go on', async () => {
  await using at = await testEngine({ leastCheckMs: 1_000 });
  const file = at.make('endless', ENDLESS_CHECK);
  const sound = at.make('sound', 'create table t (a); insert into t values (1)');
  await using session = await at.engine.openWriter({ segment: 'endless', file });
  const snapshot = session.snapshot(`${file}.snapshot`);
  const refused = expect(snapshot).rejects.toMatchObject({
    code: 'SEGMENT_DAMAGED',
    message: 'its check does not end',
  });
  await at.engine.verify(sound);
  await refused;
  expect(await at.text({ segment: 'endless', sql: 'select count(*) as n from t' })).toBe('{"n":50000}');
});

test('a file whose check does not end is damaged; any other failure of a check stays what it is', async () => {
  const late = new TroughError('ENGINE_DEADLINE', 'late');
  await expect(whoseCheckEnds(Promise.reject(late))).rejects.toMatchObject({
    code: 'SEGMENT_DAMAGED',
    message: 'its check does not end',
  });
  const full = new TroughError('DISK_FULL', 'full');
  await expect(whoseCheckEnds(Promise.reject(full))).rejects.toBe(full);
});

test('a check has time by the size of the file', async () => {
  await using dir = await tempDir();
  const file = join(dir.path, 'some');
  expect(await checkDeadlineMs(file, 1_000)).toBe(1_000);
  await writeFile(file, Buffer.alloc(50_000));
  expect(await checkDeadlineMs(file, 1_000)).toBe(1_010);
});
