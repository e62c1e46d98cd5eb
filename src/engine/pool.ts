import { randomUUID } from 'node:crypto';
import { rm, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { TroughError } from '../errors.ts';
import { type Log, silentLog } from '../log.ts';
import { appliedMark } from '../model/applied-mark.ts';
import {
  type Engine,
  type EngineAnswer,
  type EngineQuery,
  type EngineStats,
  type LocalDatabase,
  type QueryLoad,
  type QueryRecord,
  type WriterOpen,
  type WriteSession,
} from './engine.ts';
import { checkDeadlineMs, LEAST_CHECK_MS, whoseCheckEnds } from './file-check.ts';
import { childOptions, type EngineLimits } from './engine-limits.ts';
import { ChildLocalDatabase } from './local-database.ts';
import { QueryPool } from './query-pool.ts';
import { ServiceChild, type ServiceCallOptions } from './service-child.ts';
import { withSegment } from './with-segment.ts';
import { ChildWriteSession } from './writer-session.ts';

export interface ProcessEngineOptions extends EngineLimits {
  /** The node binary that runs the children: the caller's `process.execPath`. */
  readonly nodePath: string;
  readonly log?: Log;
  /** Processes for queries. Default: one per core, two at least. */
  readonly queryChildren?: number;
  /** So many of those are there from the start; the others come when several queries come at a time. Default: all. */
  readonly startChildren?: number;
  /** Processes for writing. Default 2: one whose write does not end holds up only its share of the segments. */
  readonly writerChildren?: number;
  /** More processes, at most, for queries that run long; started when there are such, ended when there are none. Default: half the cores, two at least. */
  readonly slowChildren?: number;
  /** How long one of those rests before it is ended, milliseconds. Default 10,000. */
  readonly slowIdleMs?: number;
  /** How long a process that checks files or runs schemas rests before it is ended, milliseconds. Default 30,000. */
  readonly serviceIdleMs?: number;
  /** Queries that wait for a process before ENGINE_POOL_FULL. Default 10,000. */
  readonly mostQueued?: number;
  /** What those hold together before ENGINE_POOL_FULL, and half of it of one segment before SEGMENT_QUEUE_FULL: SQL and values, about in bytes. Default 128 MiB. */
  readonly mostQueuedBytes?: number;
  /** Of those, queries that have shown to run long. Of one segment, half of it. Default 64. */
  readonly mostSlowQueued?: number;
  /** Queries of one segment that wait before SEGMENT_QUEUE_FULL. Default 1,000. */
  readonly mostQueuedOfSegment?: number;
  /** Queries of one segment that processes have before them at a time. Default 64. */
  readonly mostRunningOfSegment?: number;
  /** Long answers that are being read before ENGINE_POOL_FULL; half of them of one segment before SEGMENT_QUEUE_FULL. Default 256. */
  readonly mostStreams?: number;
  /** How long the check of a file may take, whatever its size, milliseconds. Default 60,000; a large file has more. */
  readonly leastCheckMs?: number;
  /** How long a schema may run, milliseconds. Default 5,000. */
  readonly schemaDeadlineMs?: number;
  /** How long running calls may take to end when the engine stops, milliseconds. Default 5,000. */
  readonly graceMs?: number;
  /** Called once for each query, when it has ended, whichever way, or was refused. In the middle of work: it must be quick and not throw. */
  readonly onQuery?: ((record: QueryRecord) => void) | undefined;
}

const STOP_GRACE_MS = 2_000;
const SERVICE_IDLE_MS = 30_000;

/** The engine on child processes: SQL of users never runs in this process, and no segment is opened here. */
export class ProcessEngine implements Engine {
  readonly #queries: QueryPool;
  readonly #writers: readonly ServiceChild[];
  /** Runs schemas: the one child besides the query children whose SQL may be without end. */
  readonly #schemas: ServiceChild;
  readonly #checker: ServiceChild;
  readonly #locals: ServiceChild;
  readonly #leastCheckMs: number;
  readonly #schemaDeadlineMs: number;
  readonly #graceMs: number;
  #isStopping = false;

  constructor(options: ProcessEngineOptions) {
    const log = options.log ?? silentLog;
    const child = childOptions(options.nodePath, options, log);
    const children = options.queryChildren ?? Math.max(2, availableParallelism());
    this.#queries = new QueryPool({
      slowChildren: options.slowChildren ?? Math.max(2, Math.ceil(availableParallelism() / 2)),
      slowIdleMs: options.slowIdleMs ?? 10_000,
      mostSlowQueued: options.mostSlowQueued ?? 64,
      mostQueuedOfSegment: options.mostQueuedOfSegment ?? 1_000,
      mostRunningOfSegment: options.mostRunningOfSegment ?? 64,
      mostStreams: options.mostStreams ?? 256,
      child: child.queries,
      children,
      startChildren: options.startChildren ?? children,
      mostQueued: options.mostQueued ?? 10_000,
      mostQueuedBytes: options.mostQueuedBytes ?? 128 * 2 ** 20,
      log,
      onQuery: options.onQuery,
    });
    this.#writers = Array.from({ length: options.writerChildren ?? 2 }, () => new ServiceChild(child.services, log));
    const { serviceIdleMs: idleMs = SERVICE_IDLE_MS } = options;
    this.#schemas = new ServiceChild(child.services, log, { idleMs });
    this.#checker = new ServiceChild(child.services, log, { idleMs, isNice: true });
    this.#locals = new ServiceChild(child.services, log);
    this.#leastCheckMs = options.leastCheckMs ?? LEAST_CHECK_MS;
    this.#schemaDeadlineMs = options.schemaDeadlineMs ?? 5_000;
    this.#graceMs = options.graceMs ?? 5_000;
  }

  async query(query: EngineQuery, signal?: AbortSignal): Promise<EngineAnswer> {
    this.#refuseWhenStopping();
    return this.#queries.run(query, signal);
  }

  async openWriter(options: WriterOpen, signal?: AbortSignal): Promise<WriteSession> {
    this.#refuseWhenStopping();
    const { segment, file, isJournaled = false } = options;
    const isNew = options.schemaSql !== undefined && !(await exists(file));
    const applicationId = isNew ? await this.#buildFile(options, signal) : undefined;
    const writer = this.#writerOf(segment);
    // Repeated when the child dies: another segment's endless write may have been the reason.
    const opening = writer.call('openWriter', { file, isJournaled }, { isRepeatable: true });
    const opened = await withSegment(segment, opening);
    const checks = { checker: this.#checker, leastCheckMs: this.#leastCheckMs };
    const session = new ChildWriteSession({ writer, ...checks, segment, applicationId, ...opened });
    if (signal?.aborted !== true) return session;
    await session[Symbol.asyncDispose]();
    throw new TroughError('ENGINE_CANCELLED', 'opening was cancelled', { segment });
  }

  async openDatabase(file: string, migrations: readonly string[]): Promise<LocalDatabase> {
    this.#refuseWhenStopping();
    const database = new ChildLocalDatabase(this.#locals, file, migrations);
    await database.open();
    return database;
  }

  async checkSchema(sql: string, signal?: AbortSignal): Promise<void> {
    this.#refuseWhenStopping();
    await this.#runSchema((options) => this.#schemas.call('checkSchema', { sql }, options), signal);
  }

  async verify(file: string, signal?: AbortSignal): Promise<void> {
    this.#refuseWhenStopping();
    const deadlineMs = await checkDeadlineMs(file, this.#leastCheckMs);
    await whoseCheckEnds(this.#checker.call('verify', { file }, { deadlineMs, signal, isRepeatable: true }));
  }

  stats(): EngineStats {
    const { slots, queries, failures, kills, killsByReason, restarts } = this.#queries;
    const services = this.#services();
    const serviceKills = sum(services, (child) => child.kills);
    return {
      ...this.#queries.load(),
      children: sum([...slots, ...services], ({ children }) => children),
      openConnections: sum(slots, ({ openConnections }) => openConnections),
      openConnectionsByChild: slots.map(({ openConnections }) => openConnections),
      queries,
      failures,
      kills: kills + serviceKills,
      // A service is killed for its deadline, and for nothing else.
      killsByReason: { ...killsByReason, deadline: killsByReason.deadline + serviceKills },
      restarts: restarts + sum(services, (child) => child.restarts),
    };
  }

  load(segment: string): QueryLoad {
    return this.#queries.load(segment);
  }

  /** The file was removed or replaced: no process is to keep it open, beyond the queries that run on it. One that is there is opened again. */
  forget(file: string): void {
    this.#queries.forget(file);
  }

  /** Process ids of the children that run now: for tests, and for limits that are set from outside. */
  childPids(): readonly number[] {
    return [...this.#queries.slots, ...this.#services()].map(({ pid }) => pid).filter((pid) => pid !== undefined);
  }

  /** New work is refused; what runs has the grace time; then nothing is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping = true;
    await Promise.all([
      this.#queries.settle(this.#graceMs),
      ...this.#services().map((child) => child.settle(this.#graceMs)),
    ]);
    await Promise.all([this.#queries.stop(), ...this.#services().map((child) => child.stop(STOP_GRACE_MS))]);
  }

  #services(): readonly ServiceChild[] {
    return [...this.#writers, this.#schemas, this.#checker, this.#locals];
  }

  #writerOf(segment: string): ServiceChild {
    const writer = this.#writers[crc32(segment) % this.#writers.length];
    if (writer === undefined) throw new TroughError('CONFIG_INVALID', 'the engine has no writer process');
    return writer;
  }

  /** What a child that was killed has left is removed here. */
  /** The value that the mark of a new file stands in place of, when it was given one. */
  async #buildFile(
    { file, schemaSql: sql = '', schemaStamp: stamp, mark: sequence }: WriterOpen,
    signal?: AbortSignal,
  ): Promise<number | undefined> {
    const temporary = join(dirname(file), `.${basename(file)}.${randomUUID()}.new`);
    try {
      const mark = sequence === undefined ? undefined : appliedMark(sequence);
      const args = { file, temporary, sql, stamp, mark };
      const build = (options: ServiceCallOptions) => this.#schemas.call('buildFile', args, options);
      return (await this.#runSchema(build, signal)).applicationId ?? undefined;
    } catch (error) {
      await Promise.all([temporary, `${temporary}-journal`].map((path) => rm(path, { force: true })));
      throw error;
    }
  }

  /** A schema that does not end is an invalid one, not a slow one. */
  async #runSchema<T>(run: (options: ServiceCallOptions) => Promise<T>, signal?: AbortSignal): Promise<T> {
    try {
      return await run({ deadlineMs: this.#schemaDeadlineMs, signal, isRepeatable: true });
    } catch (thrown) {
      const error = TroughError.from(thrown);
      if (error.code !== 'ENGINE_DEADLINE') throw error;
      const message = `the schema ran longer than ${String(this.#schemaDeadlineMs)} ms`;
      throw new TroughError('SCHEMA_INVALID', message, error.context, error);
    }
  }

  #refuseWhenStopping(): void {
    if (this.#isStopping) throw new TroughError('ENGINE_STOPPED', 'the engine is stopping');
  }
}

async function exists(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch {
    return false;
  }
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
