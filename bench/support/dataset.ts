import Database from 'better-sqlite3';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { copyFile, link, mkdir, rm, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { INVENTORY_MIGRATIONS } from '../../src/actors/copies/inventory.ts';
import { CATALOGUE_MIGRATIONS } from '../../src/actors/leader/catalogue-tables.ts';
import { coldPath } from '../../src/model/cold-path.ts';
import { dataPaths } from '../../src/model/paths.ts';
import { parseSegmentId, type SegmentId } from '../../src/model/segment-id.ts';
import { slotOf } from '../../src/model/slot.ts';
import { seeded } from './random.ts';

export const ROWS = 1_000;
export const ALL_ROWS = 'select * from t';
export const AGGREGATE = 'select status, count(*) n, sum(bytes) s from t group by status order by status';

/** Segments as a node has them that took them in from cold storage some time ago. */
export interface Dataset {
  /** The node's data directory. */
  readonly data: string;
  readonly count: number;
}

/** An even second, so that every file system keeps it; older than what cold storage calls unsettled. */
const MODIFIED_MS = Date.UTC(2026, 0, 1);
const FILES_AT_A_TIME = 32;
/** ext4 allows 65,000 names for one file. */
const NAMES_PER_FILE = 30_000;
const ROWS_AT_A_TIME = 5_000;
const STATUSES = [200, 200, 200, 200, 301, 302, 404, 500];

export function pointRead(): string {
  return `select * from t where id=${String(1 + Math.floor(Math.random() * ROWS))}`;
}

export function segmentAt(index: number): SegmentId {
  return parseSegmentId(`d${String(index).padStart(6, '0')}`);
}

/** The file that the node reads for the segment. */
export function copyOf({ data }: Dataset, index: number): string {
  return dataPaths(data).copy(segmentAt(index));
}

/**
 * Makes the data directory of a node with `count` read-only segments, or takes the one that is there. Each copy is a file of its own, with the
 * same content; their originals in cold storage are names of a few files, since they are only listed. Taking them in through cold storage would
 * end in this state, some minutes later.
 */
export async function dataset(directory: string, count: number): Promise<Dataset> {
  const made: Dataset = { data: join(directory, `segments-${String(count)}`), count };
  const mark = join(made.data, 'bench-complete');
  if (existsSync(mark)) return made;
  await rm(made.data, { recursive: true, force: true });
  mkdirSync(made.data, { recursive: true });
  const template = join(made.data, 'template.sqlite');
  makeTemplate(template);
  const content = readFileSync(template);
  await makeFiles(made, template, content);
  const sha256 = createHash('sha256').update(content).digest('hex');
  fillInventory(made, content.length, sha256);
  fillCatalogue(made, content.length, sha256);
  await rm(template);
  await writeFile(mark, '');
  return made;
}

/** The script that gives a segment the same content. */
export function contentSql(): string {
  const random = seeded(7);
  const rows = Array.from({ length: ROWS }, (_, index) => {
    const page = Math.floor(random() * 2 ** 48).toString(16);
    const url = `http://example.org/${page.padStart(16, '0')}/page-${String(index + 1).padStart(5, '0')}`;
    const status = STATUSES[Math.floor(random() * STATUSES.length)] ?? 200;
    return `(${String(index + 1)},'${url}',${String(status)},${String(100 + Math.floor(random() * 1_000_000))})`;
  });
  return `create table t (id integer primary key, url text, status integer, bytes integer); insert into t values ${rows.join(',')}`;
}

function makeTemplate(file: string): void {
  const database = new Database(file);
  database.exec(contentSql());
  database.close();
}

async function makeFiles(set: Dataset, template: string, content: Buffer): Promise<void> {
  const paths = dataPaths(set.data);
  const cold = join(set.data, 'cold');
  const directories = new Set<string>();
  for (let index = 0; index < set.count; index += 1) {
    directories.add(dirname(copyOf(set, index)));
    directories.add(dirname(join(cold, coldPath(segmentAt(index)))));
  }
  for (const directory of directories) mkdirSync(directory, { recursive: true });
  const originals = Array.from({ length: Math.ceil(set.count / NAMES_PER_FILE) }, (_, number) =>
    join(set.data, `original-${String(number)}`),
  );
  for (const original of originals) {
    await copyFile(template, original);
    await utimes(original, MODIFIED_MS / 1_000, MODIFIED_MS / 1_000);
  }
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < set.count; index = next++) {
      const id = segmentAt(index);
      await writeFile(paths.copy(id), content);
      await link(originals[Math.floor(index / NAMES_PER_FILE)] ?? template, join(cold, coldPath(id)));
    }
  };
  await Promise.all(Array.from({ length: FILES_AT_A_TIME }, worker));
  for (const original of originals) await rm(original);
  // Without it, cold storage looks as if it were not mounted.
  await mkdir(join(cold, '.trough-tmp'), { recursive: true });
}

function fillInventory({ data, count }: Dataset, sizeBytes: number, sha256: string): void {
  fill(dataPaths(data).inventory, INVENTORY_MIGRATIONS, 'insert into copies values (?, ?, ?, ?, ?)', count, (index) => [
    segmentAt(index),
    MODIFIED_MS,
    sizeBytes,
    sha256,
    MODIFIED_MS,
  ]);
}

function fillCatalogue({ data, count }: Dataset, sizeBytes: number, sha256: string): void {
  const insert = `insert into segment (id, slot, tier, copies, version, size_bytes, sha256, schema, modified_ms) values (?, ?, 'hot', 2, ?, ?, unhex(?), null, ?)`;
  fill(dataPaths(data).catalogue, CATALOGUE_MIGRATIONS, insert, count, (index) => [
    segmentAt(index),
    slotOf(segmentAt(index)),
    MODIFIED_MS,
    sizeBytes,
    sha256,
    MODIFIED_MS,
  ]);
}

/** A database of trough's own with so many rows, as a node would have made it. */
export function fill(
  file: string,
  migrations: readonly string[],
  insert: string,
  count: number,
  rowOf: (index: number) => readonly (string | number)[],
): void {
  const database = new Database(file);
  database.pragma('journal_mode = wal');
  database.exec(migrations.join(';'));
  database.pragma(`user_version = ${String(migrations.length)}`);
  const statement = database.prepare(insert);
  for (let from = 0; from < count; from += ROWS_AT_A_TIME) {
    database.transaction(() => {
      for (let index = from; index < Math.min(from + ROWS_AT_A_TIME, count); index += 1) {
        statement.run(...rowOf(index));
      }
    })();
  }
  database.close();
}
