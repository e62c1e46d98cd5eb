import { readFileSync, writeFileSync } from 'node:fs';
import Database from 'better-sqlite3';

export const PAGE_BYTES = 1024;

/** What a page of the b-tree is, by its first byte. */
export const PAGE_KINDS = { interiorIndex: 2, interiorTable: 5, leafIndex: 10, leafTable: 13 } as const;
export type PageKind = keyof typeof PAGE_KINDS;

let sound: Buffer | undefined;

/** A database with every kind of page: rows `t (a, b)` from 1 to 2,000 with an index, texts that overflow, free pages, FTS5, R*Tree, statistics. `more` is run on it with the schema as a table like any other. */
export function soundSegment(file: string, more?: string): void {
  if (sound === undefined) {
    inDatabase(file, SOUND);
    sound = readFileSync(file);
  }
  writeFileSync(file, sound);
  if (more !== undefined) inDatabase(file, `pragma writable_schema = 1; ${more}`);
}

const SOUND = `pragma page_size = ${String(PAGE_BYTES)}; pragma auto_vacuum = none; begin;
  create table t (a integer primary key, b text); create index tb on t (b);
  insert into t with recursive c(x) as (select 1 union all select x + 1 from c where x < 2000)
    select x, printf('%060d', x) from c;
  create table long (a integer primary key, b); insert into long values (1, hex(zeroblob(20000))), (2, 'short');
  create virtual table ft using fts5(a); insert into ft select 'word ' || a from t;
  create virtual table rt using rtree(id, low, high); insert into rt select a, a, a + 1 from t;
  create table gone (a); insert into gone select b from t; analyze; drop table gone; commit;`;

function inDatabase(file: string, sql: string): void {
  const db = new Database(file);
  try {
    db.unsafeMode(true);
    db.exec(sql);
  } finally {
    db.close();
  }
}

/** Writes bytes over the file: `at` counts from the start of the page, pages from 1. */
export function overwrite(file: string, page: number, at: number, bytes: readonly number[]): void {
  const content = readFileSync(file);
  content.set(bytes, (page - 1) * PAGE_BYTES + at);
  writeFileSync(file, content);
}

/** The first page of a table or an index that is of this kind. */
export function pageOf(file: string, table: string, kind: PageKind): number {
  const db = new Database(file, { readonly: true });
  try {
    const pages = db
      .prepare<[string], number>('select pageno from dbstat where name = ? order by pageno')
      .pluck()
      .all(table);
    const content = readFileSync(file);
    const found = pages.find((page) => content[(page - 1) * PAGE_BYTES] === PAGE_KINDS[kind]);
    if (found === undefined) throw new Error(`${table} has no page of the kind ${kind}`);
    return found;
  } finally {
    db.close();
  }
}

/** The first overflow page of the long text. */
export function overflowPage(file: string): number {
  const db = new Database(file, { readonly: true });
  try {
    const page = db
      .prepare<[], number>("select pageno from dbstat where name = 'long' and pagetype = 'overflow' order by path")
      .pluck()
      .get();
    if (page === undefined) throw new Error('no overflow page');
    return page;
  } finally {
    db.close();
  }
}

/**
 * A table `endless (a)` whose root has `width` children that are all the same page, and so on for `depth` levels: a tree of
 * width^depth leaves in a few kilobytes.
 */
export function endlessTree(file: string, depth = 14, width = 100): void {
  const db = new Database(file);
  db.exec(`pragma page_size = ${String(PAGE_BYTES)}; create table endless (a); insert into endless values (1)`);
  db.close();
  const sound = readFileSync(file);
  const pages = sound.length / PAGE_BYTES;
  const leaf = Buffer.from(sound.subarray(PAGE_BYTES, 2 * PAGE_BYTES));
  const content = Buffer.concat([sound, Buffer.alloc(depth * PAGE_BYTES)]);
  // The root is page 2; the level below it is the first new page, the leaf the last one.
  const levels = [2, ...Array.from({ length: depth - 1 }, (_, index) => pages + 1 + index)];
  const last = pages + depth;
  levels.forEach((page, index) => {
    interiorPage(width, levels[index + 1] ?? last).copy(content, (page - 1) * PAGE_BYTES);
  });
  leaf.copy(content, (last - 1) * PAGE_BYTES);
  content.writeUInt32BE(last, 28);
  writeFileSync(file, content);
}

/** An interior page of a table with `width` cells, each of which leads to the same child. */
function interiorPage(width: number, child: number): Buffer {
  const page = Buffer.alloc(PAGE_BYTES);
  const cellBytes = 6;
  const start = PAGE_BYTES - width * cellBytes;
  page.writeUInt8(PAGE_KINDS.interiorTable, 0);
  page.writeUInt16BE(width, 3);
  page.writeUInt16BE(start, 5);
  page.writeUInt32BE(child, 8);
  for (let cell = 0; cell < width; cell += 1) {
    const at = start + cell * cellBytes;
    page.writeUInt16BE(at, 12 + cell * 2);
    page.writeUInt32BE(child, at);
    // The key, a varint of two bytes that grows with the cell.
    page.writeUInt8(0x80 | (cell >> 7), at + 4);
    page.writeUInt8(cell & 0x7f, at + 5);
  }
  return page;
}
