import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { isCutShort, LOOK_BYTES } from '../../../src/model/sqlite-header.ts';
import { tempDir } from '../../support/temp-dir.ts';

test.each([512, 4096, 65_536])(
  'a database of pages of %d bytes is cut short when a byte of it is missing',
  async (pageBytes) => {
    await using dir = await tempDir();
    const path = join(dir.path, 'db.sqlite');
    const database = new Database(path);
    database.pragma(`page_size = ${String(pageBytes)}`);
    database.exec("create table t (x); insert into t values ('some')");
    database.close();
    const bytes = await readFile(path);
    expect(isCutShort(bytes.subarray(0, LOOK_BYTES), bytes.length)).toBe(false);
    expect(isCutShort(bytes.subarray(0, LOOK_BYTES), bytes.length - 1)).toBe(true);
    // An old library that does not keep the count of pages.
    bytes.writeUInt32BE(0, 92);
    expect(isCutShort(bytes.subarray(0, LOOK_BYTES), bytes.length - 1)).toBe(false);
  },
);

test('what is no database says nothing of its length', () => {
  expect(isCutShort(Buffer.alloc(LOOK_BYTES, 'x'), 10)).toBe(false);
  expect(isCutShort(Buffer.alloc(0), 0)).toBe(false);
});
