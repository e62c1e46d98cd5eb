import { existsSync, statSync } from 'node:fs';
import { TroughError } from '../errors.ts';
import { type LiftedQuery, liftLiterals } from '../model/sql-literals.ts';
import { parseQuery } from '../model/sql-rules.ts';
import { type SqlValue } from '../model/sql-types.ts';
import { AdaptiveSize } from './adaptive-size.ts';
import { openDatabase, sqlError, type Sqlite } from './child-database.ts';
import { PreparedQuery } from './child-prepared.ts';

const STATEMENTS_KEPT = 32;
const LONGEST_KEPT_SQL = 4_096;
/** How long a reader waits for a lock: only while the writer recovers or truncates its WAL. */
const BUSY_MS = 1_000;

/** better-sqlite3's default: what SQLite caches of one file at most. */
const LARGEST_CACHE_BYTES = 16_000 * 1_024;

interface BoundQuery {
  readonly prepared: PreparedQuery;
  /** The values for its parameters, when they stood in the text. */
  readonly lifted: readonly SqlValue[] | undefined;
}

/** One open file. It is closed when it is no longer kept and nobody runs on it. */
export class Connection {
  readonly version: string;
  readonly live: boolean;
  /** What SQLite may come to cache of the file; of one that grows, as it was when it was opened. */
  readonly cacheBytes: number;
  readonly #db: Sqlite;
  readonly #prepared = new Map<string, PreparedQuery>();
  #users = 0;
  #isKept = true;

  constructor(db: Sqlite, version: string, live: boolean, sizeBytes: number) {
    this.#db = db;
    this.cacheBytes = Math.min(sizeBytes, LARGEST_CACHE_BYTES);
    this.version = version;
    this.live = live;
  }

  /** `hasParams`: the asker gave values beside the text, so none are taken out of it. */
  prepare(sql: string, hasParams: boolean): BoundQuery {
    const lifted = hasParams ? undefined : liftLiterals(sql);
    return this.#kept(sql, lifted) ?? this.#kept(sql, undefined) ?? this.#make(sql, lifted);
  }

  use(): void {
    this.#users += 1;
  }

  release(): void {
    this.#users -= 1;
    this.#closeWhenFree();
  }

  /** Out of the cache: those who run on it finish. */
  drop(): void {
    this.#isKept = false;
    this.#closeWhenFree();
  }

  #closeWhenFree(): void {
    if (!this.#isKept && this.#users === 0) this.#db.close();
  }

  #kept(sql: string, lifted: LiftedQuery | undefined): BoundQuery | undefined {
    const text = lifted?.template ?? sql;
    const prepared = this.#prepared.get(text);
    if (prepared?.statement.busy !== false) return undefined;
    this.#prepared.delete(text);
    this.#prepared.set(text, prepared);
    return { prepared, lifted: lifted?.values };
  }

  #make(sql: string, lifted: LiftedQuery | undefined): BoundQuery {
    if (lifted === undefined) return { prepared: this.#prepare(sql), lifted: undefined };
    parseQuery(sql);
    try {
      return { prepared: this.#prepare(lifted.template), lifted: lifted.values };
    } catch {
      // As it was asked: some queries need their values to be prepared, and SQLite's words are to be about what was asked.
      return { prepared: this.#prepare(sql), lifted: undefined };
    }
  }

  /** Kept under the text that it was made from, and no other: it has that text's parameters. */
  #prepare(text: string): PreparedQuery {
    const prepared = new PreparedQuery(this.#db, text);
    if (text.length > LONGEST_KEPT_SQL) return prepared;
    this.#prepared.set(text, prepared);
    if (this.#prepared.size > STATEMENTS_KEPT) this.#forgetOldest();
    return prepared;
  }

  #forgetOldest(): void {
    const oldest = this.#prepared.keys().next();
    if (oldest.done !== true) this.#prepared.delete(oldest.value);
  }
}

/** Files that are kept open as long as keeping more would not help; each takes 150 to 300 KB. */
const LEAST_KEPT = 200;
/** Closing takes time: a cache that shrinks is not emptied at once. */
const CLOSED_AT_ONCE = 4;

/** The files that a child holds open, the least recently used closed first. */
export class Connections {
  readonly #size: AdaptiveSize;
  readonly #byFile = new Map<string, Connection>();
  readonly #mostCacheBytes: number;
  #cacheBytes = 0;

  /** Called before each run of a statement, unless it was quick the last time. */
  readonly beforeUnknown: () => void;

  constructor(most: number, beforeUnknown: () => void = () => undefined, mostCacheBytes = Infinity) {
    this.#mostCacheBytes = mostCacheBytes;
    this.#size = new AdaptiveSize({ least: LEAST_KEPT, most });
    this.beforeUnknown = beforeUnknown;
  }

  get size(): number {
    return this.#byFile.size;
  }

  /** The file's connection; another version, or a change between live and copy, opens it anew. */
  get(file: string, version: string, live: boolean): Connection {
    const kept = this.#byFile.get(file);
    if (kept !== undefined) {
      if (kept.version === version && kept.live === live) {
        this.#byFile.delete(file);
        this.#byFile.set(file, kept);
        this.#size.hit();
        return kept;
      }
      this.#remove(file, kept);
    }
    this.#size.miss(file);
    const { db, sizeBytes } = openSegment(file, live);
    const opened = new Connection(db, version, live, sizeBytes);
    this.#byFile.set(file, opened);
    this.#cacheBytes += opened.cacheBytes;
    this.#evict();
    return opened;
  }

  /**
   * Takes a connection out, for the one who runs on it alone. All statements of a connection see the snapshot of its oldest one, so a
   * long answer from a live file must not share its connection: later queries would miss later writes.
   */
  detach(file: string, connection: Connection): void {
    if (this.#byFile.get(file) === connection) this.#remove(file, connection);
  }

  /** After an error that may come from the file being another one than the one opened. */
  forget(file: string): void {
    const connection = this.#byFile.get(file);
    if (connection !== undefined) this.#remove(file, connection);
  }

  #remove(file: string, connection: Connection): void {
    this.#byFile.delete(file);
    this.#cacheBytes -= connection.cacheBytes;
    connection.drop();
  }

  #evict(): void {
    let closed = 0;
    for (const [file, connection] of this.#byFile) {
      const isTooLarge = this.#cacheBytes > this.#mostCacheBytes && this.#byFile.size > 1;
      const isTooMany = this.#byFile.size > this.#size.value && closed < CLOSED_AT_ONCE;
      if (!isTooLarge && !isTooMany) return;
      this.#remove(file, connection);
      if (!isTooLarge) this.#size.evicted(file);
      closed += 1;
    }
  }
}

function openSegment(file: string, live: boolean): { readonly db: Sqlite; readonly sizeBytes: number } {
  try {
    const sizeBytes = statSync(file).size;
    return { db: openDatabase(file, { readonly: true, busyMs: BUSY_MS, isFrozen: !live }), sizeBytes };
  } catch (error) {
    if (!existsSync(file)) throw new TroughError('SEGMENT_UNKNOWN', 'there is no such file', { file }, error);
    throw sqlError(error, 'run');
  }
}
