import {
  type Engine,
  type EngineAnswer,
  type EngineQuery,
  type EngineStats,
  type LocalDatabase,
  type LocalStatement,
  type QueryLoad,
  type ReplayRecord,
  type SnapshotFile,
  type SnapshotOptions,
  type SqlParams,
  type SqlValue,
  type StampedWrite,
  type StatementResult,
  type WriteOutcome,
  type WriterOpen,
  type WriteSession,
} from '../../src/engine/engine.ts';
import { TroughError } from '../../src/errors.ts';
import { appliedMark } from '../../src/model/applied-mark.ts';
import { Turns } from '../../src/runtime/turns.ts';
import { markOf, withMark } from '../support/marked-content.ts';
import { type Random } from './random.ts';
import { sha256Of } from './sim-cold.ts';
import { sqlOf } from './chain-truth.ts';
import { type SimFile, type SimMachineDisk } from './sim-disk.ts';
import { type SimProcess } from './sim-process.ts';

export interface SimEngineDeps {
  readonly process: SimProcess;
  readonly disk: SimMachineDisk;
  readonly random: Random;
  /** What makes each new segment unlike any other. */
  readonly nextBase: () => string;
}

/**
 * A database is text: a line that names its beginning, then a line for each committed write. A query answers that text. The databases of trough
 * itself are real ones.
 */
export class SimEngine implements Engine {
  readonly #deps: SimEngineDeps;
  readonly #sessions = new Set<SimWriteSession>();

  constructor(deps: SimEngineDeps) {
    this.#deps = deps;
  }

  query({ file }: EngineQuery): Promise<EngineAnswer> {
    return this.#do(() => {
      const { content } = this.#sound(file);
      const body = Buffer.from(JSON.stringify([content]));
      return { columns: ['content'], body, summary: () => ({ rows: 1, truncated: false }) };
    });
  }

  async openWriter({ file, schemaSql, schemaStamp, mark, isJournaled }: WriterOpen): Promise<WriteSession> {
    const isNew = await this.#deps.disk.operate(this.#deps.process, 'open', () => {
      const { files } = this.#deps.disk;
      if (files.has(file)) {
        this.#sound(file);
        return false;
      }
      if (schemaSql === undefined) throw new TroughError('SEGMENT_UNKNOWN', `there is no file ${file}`);
      const base = schemaStamp === undefined ? this.#deps.nextBase() : `base-${schemaStamp.seed}`;
      this.#deps.disk.write(file, withMark(`${base}\n`, mark === undefined ? 0 : appliedMark(mark)));
      return true;
    });
    const how = { file, isJournaled: isJournaled === true, isMarked: isNew && mark !== undefined };
    const session = new SimWriteSession(this.#deps, how, () => this.#sessions.delete(session));
    this.#sessions.add(session);
    return session;
  }

  openDatabase(file: string, migrations: readonly string[]): Promise<LocalDatabase> {
    return this.#do(() => new SimDatabase(this.#deps, file, migrations));
  }

  checkSchema(): Promise<void> {
    return this.#do(() => undefined);
  }

  verify(file: string): Promise<void> {
    return this.#do(() => {
      this.#sound(file);
    });
  }

  stats(): EngineStats {
    const counts = { queries: 0, failures: 0, kills: 0, killsByReason: {}, restarts: 0 };
    return { ...counts, ...this.load(), children: 1, openConnections: 0, openConnectionsByChild: [] };
  }

  load(): QueryLoad {
    return { running: 0, waiting: 0 };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  /** A child process dies, with all write sessions in it. False when there was none. */
  crashChild(): boolean {
    const any = this.#sessions.size > 0;
    for (const session of this.#sessions) session.die();
    return any;
  }

  #sound(file: string): SimFile {
    const there = this.#deps.disk.files.get(file);
    if (there === undefined) throw new TroughError('SEGMENT_UNKNOWN', `there is no file ${file}`);
    if (there.isDamaged && there.isSilent !== true) throw new TroughError('SEGMENT_DAMAGED', `${file} is damaged`);
    return there;
  }

  #do<T>(work: () => T): Promise<T> {
    return this.#deps.process.call(this.#deps.random.between(0.1, 2), work);
  }
}

/** One segment that is open for writing. */
class SimWriteSession implements WriteSession {
  readonly sizeBytes: number;
  readonly sqliteVersion = '3.0.0';
  readonly lost: Promise<void>;
  readonly applicationId: number | undefined;
  readonly #deps: SimEngineDeps;
  readonly #file: string;
  readonly #isJournaled: boolean;
  readonly #ended: () => void;
  readonly #dies = Promise.withResolvers<undefined>();
  readonly #turns = new Turns();
  #group: string[] | undefined;
  #state: 'open' | 'dead' | 'closed' = 'open';

  constructor(
    deps: SimEngineDeps,
    { file, isJournaled, isMarked }: { file: string; isJournaled: boolean; isMarked: boolean },
    ended: () => void,
  ) {
    this.#deps = deps;
    this.#file = file;
    this.#isJournaled = isJournaled;
    if (isMarked) this.applicationId = 0;
    this.#ended = ended;
    this.sizeBytes = this.#content().length;
    this.lost = this.#dies.promise;
  }

  apply(writes: readonly StampedWrite[]): Promise<readonly WriteOutcome[]> {
    return this.#do(() => {
      const results: StatementResult[] = [{ changes: 1, lastInsertRowid: 1n }];
      const lines = writes.map(({ request }) => sqlOf(request));
      this.#group = lines.filter((line) => !isRefused(line));
      return lines.map((line) => (isRefused(line) ? { ok: false, error: REFUSAL } : { ok: true, results }));
    });
  }

  commit(at?: { readonly sequence: number }): Promise<void> {
    return this.#do(() => {
      this.#write(this.#group ?? [], at);
      this.#group = undefined;
    });
  }

  applied(): Promise<number> {
    return this.#do(() => markOf(this.#content()));
  }

  setApplicationId(value: number): Promise<void> {
    return this.#do(() => {
      this.#deps.disk.write(this.#file, withMark(this.#content(), value));
    });
  }

  replay(records: readonly ReplayRecord[]): Promise<void> {
    return this.#do(() => {
      const lines = records.flatMap(({ writes }) => writes.map(({ request }) => sqlOf(request)));
      this.#write(lines, records.at(-1));
    });
  }

  rollback(): Promise<void> {
    return this.#do(() => {
      this.#group = undefined;
    });
  }

  async snapshot(to: string, { applicationId }: SnapshotOptions = {}): Promise<SnapshotFile> {
    const { content, applied } = await this.#now(() => {
      const mark = markOf(this.#content());
      const copy = withMark(this.#content(), applicationId ?? mark);
      this.#deps.disk.write(to, copy);
      return { content: copy, applied: mark };
    });
    return { sizeBytes: content.length, sha256: sha256Of(content), applied };
  }

  die(): void {
    if (this.#state !== 'open') return;
    this.#state = 'dead';
    this.#group = undefined;
    this.#ended();
    this.#dies.resolve(undefined);
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (this.#state === 'open') this.#state = 'closed';
    this.#ended();
    return Promise.resolve();
  }

  #write(group: readonly string[], at: { readonly sequence: number } | undefined): void {
    const content = this.#content() + group.map((line) => `${line}\n`).join('');
    const marked = at === undefined ? content : withMark(content, appliedMark(at.sequence));
    const isSynced = !this.#isJournaled || this.#deps.random.chance(0.1);
    this.#deps.disk.write(this.#file, marked, isSynced);
  }

  #content(): string {
    return this.#deps.disk.files.get(this.#file)?.content ?? '';
  }

  /** One after the other, in the order of the calls. */
  #do<T>(effect: () => T): Promise<T> {
    return this.#turns.take(() => this.#now(effect));
  }

  async #now<T>(effect: () => T): Promise<T> {
    this.#check();
    const { disk, process } = this.#deps;
    const result = await disk.operate(process, 'write', () => {
      this.#check();
      return effect();
    });
    this.#check();
    return result;
  }

  #check(): void {
    if (this.#state === 'dead') throw new TroughError('ENGINE_CHILD_DIED', 'the process of this session died');
    if (this.#state === 'closed') throw new TroughError('INTERNAL', 'the write session is closed');
  }
}

/** A database of trough itself on the machine's disk: each transaction is there whole or not at all. */
class SimDatabase implements LocalDatabase {
  readonly #deps: SimEngineDeps;
  readonly #file: string;
  readonly #migrations: readonly string[];

  constructor(deps: SimEngineDeps, file: string, migrations: readonly string[]) {
    this.#deps = deps;
    this.#file = file;
    this.#migrations = migrations;
  }

  run(statements: readonly LocalStatement[]): Promise<void> {
    const { disk, process } = this.#deps;
    return disk.operate(process, 'a transaction', () => {
      const { database, prepare } = disk.database(this.#file, this.#migrations);
      database.transaction(() => {
        for (const { sql, params, rows } of statements) {
          for (const each of rows ?? [params]) prepare(sql).run(...values(sql, each));
        }
      })();
    });
  }

  all(sql: string, params?: SqlParams): Promise<readonly (readonly SqlValue[])[]> {
    const { disk, process } = this.#deps;
    return disk.operate(process, 'a query', () => {
      const statement = disk.database(this.#file, this.#migrations).prepare(sql);
      return statement.raw().all(...values(sql, params)) as SqlValue[][];
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

/** Numbered parameters (`?1`) are names to the driver. */
function values(sql: string, params: SqlParams | undefined): unknown[] {
  if (params === undefined) return [];
  if (!Array.isArray(params)) return [params];
  const list = params as readonly unknown[];
  return /\?\d/.test(sql) ? [Object.fromEntries(list.map((value, index) => [String(index + 1), value]))] : [...list];
}

/** SQL that fails by itself. */
function isRefused(line: string): boolean {
  return line.startsWith('fail ');
}

const REFUSAL = new TroughError('SQL_FAILED', 'it is to fail').toRecord();
