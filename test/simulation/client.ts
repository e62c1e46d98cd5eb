import { WireBus } from '../../src/bus/wire-bus.ts';
import { type ErrorCode, TroughError } from '../../src/errors.ts';
import { type Control } from '../../src/messages/control.ts';
import { makeSubjects } from '../../src/messages/subjects.ts';
import { decodeWriteAnswer } from '../../src/messages/write-wire.ts';
import { type Consistency } from '../../src/messages/reading.ts';
import { BusCalls } from '../../src/roles/bus-calls.ts';
import { type RunLog } from './run-log.ts';
import { type Random } from './random.ts';
import { type SimNetwork } from './sim-network.ts';
import { SimProcess } from './sim-process.ts';
import { type Timeline } from './timeline.ts';

export interface Answer {
  /** Who answered. */
  readonly node: string;
  readonly version: string;
  readonly content: string;
}

export type WriteTold = { readonly fate: 'kept'; readonly sequence: number } | { readonly fate: 'refused' | 'unknown' };

const PATIENCE_MS = 20_000;
const READ_MS = 12_000;
/** Nothing was done, whoever says so. */
const SURELY_NOT: ReadonlySet<ErrorCode> = new Set([
  'BUS_NO_RESPONDERS',
  'SEGMENT_NOT_WRITABLE',
  'SEGMENT_UNKNOWN',
  'NODE_UNAVAILABLE',
  'WRITE_QUEUE_FULL',
  'METADATA_UNREACHABLE',
  'DISK_FULL',
  'SQL_FAILED',
  'JOURNAL_FULL',
  'JOURNAL_BUSY',
  'JOURNAL_UNREACHABLE',
  'ENGINE_DEADLINE',
]);

/** Somebody who uses the cluster, from a machine that nothing ever happens to. */
export class Client {
  readonly control: Control;
  readonly #bus: WireBus;
  readonly #subjects = makeSubjects('trough');

  constructor(timeline: Timeline, network: SimNetwork, runLog: RunLog, random: Random) {
    const process = new SimProcess('client', timeline, { rate: 1, skewMs: () => 0 });
    this.#bus = new WireBus(network.plug('client', process), { log: runLog.logOf('client'), after: process.after });
    const deadlines = { queryDeadlineMs: PATIENCE_MS, writeDeadlineMs: PATIENCE_MS };
    const deps = { bus: this.#bus, subjects: this.#subjects, clock: process, random: random.next };
    this.control = new BusCalls({ ...deps, ...deadlines }).control;
  }

  /** By one node's own hands, or whoever it hands it on to. */
  async read(node: string, id: string, consistency: Consistency): Promise<Answer> {
    const subject = this.#subjects.nodeQuery(node, id);
    const question = Buffer.from(JSON.stringify({ sql: 'select', consistency, deadlineMs: READ_MS }));
    const reply = await this.#bus.request(subject, question, { deadlineMs: READ_MS });
    const parts: Uint8Array[] = [];
    for await (const part of reply.body) parts.push(part);
    const document = JSON.parse(Buffer.concat(parts).toString()) as { rows: [[string]]; version: string; node: string };
    return { node: document.node, version: document.version, content: document.rows[0][0] };
  }

  /** What became of it, in the words of `WriteFate`. */
  async write(id: string, sql: string, requestId?: string, patienceMs = PATIENCE_MS): Promise<WriteTold> {
    try {
      const body = Buffer.from(JSON.stringify({ script: sql, deadlineMs: patienceMs, requestId }));
      const reply = await this.#bus.request(this.#subjects.write(id), body, { deadlineMs: patienceMs });
      const parts: Uint8Array[] = [];
      for await (const part of reply.body) parts.push(part);
      return { fate: 'kept', sequence: decodeWriteAnswer(Buffer.concat(parts)).sequence };
    } catch (error) {
      return { fate: SURELY_NOT.has(TroughError.from(error).code) ? 'refused' : 'unknown' };
    }
  }
}
