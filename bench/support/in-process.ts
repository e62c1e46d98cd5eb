import Database from 'better-sqlite3';
import { copyOf, type Dataset } from './dataset.ts';
import { OpenFiles } from './open-files.ts';

/** L0: better-sqlite3 in a plain loop in this process, from SQL text to JSON, over the first `segments` of the dataset at random. Answers per second. */
export function inProcess(set: Dataset, segments: number, sql: () => string, seconds: number): number {
  const files = new OpenFiles((index) => new Database(copyOf(set, Number(index)), { readonly: true }));
  const startedAt = performance.now();
  const endAt = startedAt + seconds * 1_000;
  let count = 0;
  let bytes = 0;
  while (performance.now() < endAt) {
    const database = files.of(String(Math.floor(Math.random() * segments)));
    bytes += JSON.stringify(database.prepare(sql()).all()).length;
    count += 1;
  }
  const elapsed = (performance.now() - startedAt) / 1_000;
  files.closeAll();
  if (bytes === 0) throw new Error('no rows');
  return count / elapsed;
}
