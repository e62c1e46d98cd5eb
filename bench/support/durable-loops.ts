import Database from 'better-sqlite3';
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Appends of `bytes` to a file per second, each followed by an fsync. */
export function fsyncLoop(directory: string, bytes: number, seconds: number): number {
  const file = openSync(join(directory, 'fsync'), 'w');
  const piece = Buffer.alloc(bytes, 'x');
  const rate = perSecond(seconds, () => {
    writeSync(file, piece);
    fsyncSync(file);
  });
  closeSync(file);
  return rate;
}

/** Rows of `bytes` inserted per second by better-sqlite3, synchronous FULL, one transaction each. */
export function sqliteLoop(directory: string, mode: 'DELETE' | 'WAL', bytes: number, seconds: number): number {
  const database = new Database(join(directory, `${mode}.sqlite`));
  database.pragma(`journal_mode = ${mode}`);
  database.pragma('synchronous = FULL');
  database.exec('create table t (id integer primary key, body text)');
  const insert = database.prepare('insert into t (body) values (?)');
  const text = 'x'.repeat(bytes);
  const rate = perSecond(seconds, () => insert.run(text));
  database.close();
  return rate;
}

function perSecond(seconds: number, work: () => void): number {
  const begin = performance.now();
  let count = 0;
  while (performance.now() - begin < seconds * 1_000) {
    work();
    count += 1;
  }
  return (count / (performance.now() - begin)) * 1_000;
}
