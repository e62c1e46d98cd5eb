import {
  type Engine,
  type EngineAnswer,
  type EngineQuery,
  type EngineStats,
  type LocalDatabase,
  type QueryLoad,
  type WriterOpen,
  type WriteSession,
} from '../../src/engine/engine.ts';
import { TroughError } from '../../src/errors.ts';
import { type Clock } from '../../src/runtime/clock.ts';
import { type FakeDisk } from './fake-disk.ts';
import { FakeGate } from './fake-gate.ts';
import { FakeInventoryDatabase } from './fake-inventory-database.ts';
import { FakeWriteSession } from './fake-write-session.ts';

/** Content that is no sound database. */
export const DAMAGED = '!damaged!';

/** Answers a query with the content of its file; writes as FakeWriteSession says. */
export class FakeEngine implements Engine {
  readonly gate = new FakeGate();
  readonly queries: EngineQuery[] = [];
  /** The SQL of each group of each session, in order. */
  readonly groups: string[][] = [];
  readonly opened: WriterOpen[] = [];
  readonly sessions: FakeWriteSession[] = [];
  readonly #disk: FakeDisk;
  readonly #clock: Clock;

  constructor(disk: FakeDisk, clock: Clock) {
    this.#disk = disk;
    this.#clock = clock;
  }

  async query(query: EngineQuery, signal?: AbortSignal): Promise<EngineAnswer> {
    this.queries.push(query);
    await this.gate.pass('query', signal);
    const content = this.#disk.files.get(query.file);
    if (content === undefined) throw new TroughError('SEGMENT_UNKNOWN', `there is no file ${query.file}`);
    if (content.includes(DAMAGED)) throw new TroughError('SEGMENT_DAMAGED', `${query.file} is damaged`);
    return { columns: ['content'], body: Buffer.from(content), summary: () => ({ rows: 1, truncated: false }) };
  }

  async openWriter(options: WriterOpen): Promise<WriteSession> {
    this.opened.push(options);
    await this.gate.pass('openWriter');
    const { file, schemaSql } = options;
    if (!this.#disk.files.has(file)) {
      if (schemaSql === undefined) throw new TroughError('SEGMENT_UNKNOWN', `there is no file ${file}`);
      await this.checkSchema(schemaSql);
      this.#disk.files.set(file, schemaSql === '' ? '' : `${schemaSql}\n`);
    }
    const { gate, groups } = this;
    const session = new FakeWriteSession({ disk: this.#disk, clock: this.#clock, gate, file, groups });
    this.sessions.push(session);
    return session;
  }

  async openDatabase(): Promise<LocalDatabase> {
    await this.gate.pass('openDatabase');
    return new FakeInventoryDatabase();
  }

  async checkSchema(sql: string): Promise<void> {
    await this.gate.pass('checkSchema');
    if (sql.startsWith('bad')) throw new TroughError('SCHEMA_INVALID', `near "${sql}": syntax error`);
  }

  async verify(file: string): Promise<void> {
    await this.gate.pass('verify');
    if (this.#disk.files.get(file)?.includes(DAMAGED) !== false) {
      throw new TroughError('SEGMENT_DAMAGED', `${file} is not a sound database`);
    }
  }

  stats(): EngineStats {
    const counts = { queries: this.queries.length, failures: 0, kills: 0, killsByReason: {}, restarts: 0 };
    return { ...counts, ...this.load(), children: 1, openConnections: 0, openConnectionsByChild: [] };
  }

  load(): QueryLoad {
    return { running: 0, waiting: 0 };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}
