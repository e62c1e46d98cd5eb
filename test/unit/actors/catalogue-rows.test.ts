import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CatalogueRows } from '../../../src/actors/leader/catalogue-rows.ts';
import { CATALOGUE_MIGRATIONS } from '../../../src/actors/leader/catalogue-tables.ts';
import { KeySet } from '../../../src/actors/leader/key-set.ts';
import { ProcessEngine } from '../../../src/engine/pool.ts';
import { parseSegmentId } from '../../../src/model/segment-id.ts';
import { slotOf } from '../../../src/model/slot.ts';
import { tempDir } from '../../support/temp-dir.ts';

test('a catalogue of an older version keeps its rows, their versions and their sums', async () => {
  await using dir = await tempDir();
  await using engine = new ProcessEngine({ nodePath: process.execPath, queryChildren: 1, graceMs: 100 });
  const file = join(dir.path, 'catalogue.sqlite');
  const old = await engine.openDatabase(file, CATALOGUE_MIGRATIONS.slice(0, 2));
  const insert =
    'insert into segments (id, slot, tier, copies, version, size_bytes, sha256, schema, modified_ms) values (?, ?, ?, ?, ?, ?, ?, ?, ?)';
  const rows = [
    ['b', slotOf('b'), 'hot', 2, 71, 10, 'ab'.repeat(32), 'warc', 70],
    ['a', slotOf('a'), 'cold', 1, 80, 100, null, null, 80],
  ];
  await old.run([{ sql: insert, rows }]);
  await old[Symbol.asyncDispose]();
  await using database = await engine.openDatabase(file, CATALOGUE_MIGRATIONS);
  const kept = new CatalogueRows(database, () => ({ copies: 2, tier: 'hot' }));
  expect(await kept.page('', undefined, 10)).toEqual([
    ['a', slotOf('a'), 'cold', 80, 100, null, null, 1, 0],
    ['b', slotOf('b'), 'hot', 71, 10, 'ab'.repeat(32), 'warc', 2, 0],
  ]);
  await kept.put([{ id: parseSegmentId('b'), version: 72, sizeBytes: 20, sha256: null, schema: null, modifiedMs: 72 }]);
  const sums = await kept.sums();
  expect([sums.of('hot'), sums.of('cold')]).toEqual([
    { segments: 1, bytes: 20 },
    { segments: 1, bytes: 100 },
  ]);
});

test('a set of keys has those that were put in, and none beyond its largest', () => {
  const keys = new KeySet(17);
  for (const key of [0, 7, 8, 17, 5_000]) keys.add(key);
  expect([0, 1, 7, 8, 16, 17, 5_000].filter((key) => keys.has(key))).toEqual([0, 7, 8, 17]);
});
