import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type ErrorCode, TroughError } from '../errors.ts';
import { exchangeApplicationId, setWalFormat } from '../model/sqlite-header.ts';
import { sqlError, type Sqlite, withMemoryDatabase } from './child-database.ts';
import { fileError, sync } from './child-files.ts';
import { RequestRunner } from './child-transaction.ts';
import { type WireStamp } from './messages.ts';

/** What a script is not to blame for, or not alone. */
const NOT_ITS_FAULT: ReadonlySet<ErrorCode> = new Set(['DISK_FULL', 'ENGINE_MEMORY', 'INTERNAL']);

const KEPT = 32;
const LARGEST_KEPT_BYTES = 256 * 1024;

/** New segments, made from schemas. */
export class NewFiles {
  /** By the schema, when neither the clock nor chance has a part in it: the oldest first. */
  readonly #images = new Map<string, Buffer>();

  /**
   * Makes the file under a temporary name beside it, then renames it: a half-made file is never seen. It is made in memory and written at
   * once, so that no journal of it is made and removed again; and it is in WAL mode already, which its first writer would have to sync otherwise.
   * `mark`: what its `application_id` is to be; the answer is what the schema made it.
   */
  build(
    file: string,
    temporary: string,
    { sql, stamp, mark }: { sql: string; stamp: WireStamp | undefined; mark: number | undefined },
  ): number | undefined {
    // Asked again, since its answer was lost: what the schema made it is the same then.
    const isThere = existsSync(file);
    if (isThere && mark === undefined) return undefined;
    const kept = this.#imageOf(sql, stamp);
    const image = mark === undefined ? kept : Buffer.from(kept);
    const before = mark === undefined ? undefined : exchangeApplicationId(image, mark);
    if (isThere) return before;
    const directory = dirname(file);
    try {
      const made = mkdirSync(directory, { recursive: true });
      if (made !== undefined) sync(dirname(made));
      writeFileSync(temporary, image, { flush: true });
      renameSync(temporary, file);
      sync(directory);
      return before;
    } catch (error) {
      rmSync(temporary, { force: true });
      throw fileError(error);
    }
  }

  #imageOf(sql: string, stamp: WireStamp | undefined): Buffer {
    const kept = this.#images.get(sql);
    if (kept !== undefined) return kept;
    const { image, isAlwaysTheSame } = makeImage(sql, stamp);
    if (isAlwaysTheSame && image.length + 2 * sql.length <= LARGEST_KEPT_BYTES) this.#keep(sql, image);
    return image;
  }

  #keep(sql: string, image: Buffer): void {
    const [oldest] = this.#images.keys();
    if (this.#images.size >= KEPT && oldest !== undefined) this.#images.delete(oldest);
    this.#images.set(sql, image);
  }
}

/** SCHEMA_INVALID when the script does not run on an empty database; `constraint` in the context when it is its data that fails. */
export function checkSchema(sql: string): void {
  withMemoryDatabase((db) => {
    runSchema(db, sql, undefined);
  });
}

function makeImage(sql: string, stamp: WireStamp | undefined): { image: Buffer; isAlwaysTheSame: boolean } {
  return withMemoryDatabase((db) => {
    const { usedMoment } = runSchema(db, sql, stamp);
    const image = db.serialize();
    setWalFormat(image);
    return { image, isAlwaysTheSame: !usedMoment };
  });
}

function runSchema(db: Sqlite, sql: string, stamp: WireStamp = stampOfNow()): { readonly usedMoment: boolean } {
  try {
    return new RequestRunner(db).runAlone(sql, stamp);
  } catch (error) {
    const failure = sqlError(error, 'run');
    if (NOT_ITS_FAULT.has(failure.code)) throw failure;
    throw new TroughError('SCHEMA_INVALID', failure.message, failure.context, error);
  }
}

function stampOfNow(): WireStamp {
  return { timeMs: Date.now(), seed: randomBytes(16).toString('hex') };
}
