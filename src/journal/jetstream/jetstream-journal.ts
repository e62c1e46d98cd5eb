import { type NatsConnection } from 'nats';
import { TroughError } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { type Clock } from '../../runtime/clock.ts';
import { pause } from '../../runtime/pause.ts';
import { ORDINARY_SHARE, checkEntry, checkKey, checkSequence } from '../journal-checks.ts';
import { full, lost, stopping, unreachable } from '../journal-errors.ts';
import {
  type Journal,
  type JournalEntry,
  type JournalKey,
  type JournalRange,
  type JournalRecord,
  type JournalState,
  type NamedRecord,
} from '../journal.ts';
import { KeyLanes } from '../key-lanes.ts';
import { chooseStream, streamNames } from '../stream-choice.ts';
import { Appender } from './appender.ts';
import { type Failure, JournalApi, type Letter, type StreamInfo } from './journal-api.ts';
import { openStreams } from './open-streams.ts';
import { replay } from './replay.ts';
import { Requests } from './requests.ts';
import { checkServers } from './server-check.ts';
import { Shipper } from './shipper.ts';
import { StreamGauge } from './stream-gauge.ts';
import { whenConnected } from './waiting.ts';
import { sizeOfRecords } from '../size-of-records.ts';

export interface JetStreamJournalOptions {
  /** Stays its owner's, who closes it after the journal. */
  readonly connection: NatsConnection;
  readonly log: Log;
  readonly clock: Clock;
  /** 0 ≤ value < 1. */
  readonly random: () => number;
  /** The server was started by this process, with a configuration of our making. */
  readonly isOwnServer?: boolean;
  /** First token of the subjects, start of the streams' names: letters, digits, `_` and `-`. */
  readonly prefix: string;
  /** How many streams new keys are spread over. Default 4. */
  readonly streams?: number;
  /** Of all streams together. Default: 4 GiB for each, less where the server has no room for that; streams that are there keep what they have. */
  readonly limitBytes?: number | undefined;
  /** Share of a stream that ordinary records may fill. Default 0.8. */
  readonly ordinaryShare?: number;
  /** Copies that NATS keeps. Default: three in a cluster, else one. */
  readonly replicas?: number | undefined;
  /** Bytes of records that may wait in this process; more are refused. Default 64 MiB. */
  readonly waitingBytes?: number;
  /** How long JetStream may take to be ready at the start. Default 30,000 ms. */
  readonly readyMs?: number;
  readonly signal?: AbortSignal;
}

interface OpenStream {
  readonly appender: Appender;
  readonly gauge: StreamGauge;
  readonly lostAfterMs: number;
}

/** Of a message's size, what a record's subject, id and headers may take. */
const ENVELOPE_BYTES = 2_560;
/** What the server stores with each message. */
const STORED_BYTES = 130;
const RETRY_MS = 50;
/** A deposed leader may believe in itself and be behind for so long. */
const LOST_AFTER_MS = 10_000;
const STREAM_NAME = /^[1-9]\d{0,3}$/;

/** The journal in NATS JetStream: a few streams, one subject for each key. README.md of the folder above has the promises. */
export class JetStreamJournal implements Journal {
  readonly #options: JetStreamJournalOptions;
  readonly #requests: Requests;
  readonly #api: JournalApi;
  readonly #streams = new Map<string, OpenStream>();
  readonly #lanes = new KeyLanes();
  readonly #closing = new AbortController();
  readonly #count: number;
  #waitingBytes = 0;

  private constructor(options: JetStreamJournalOptions, requests: Requests) {
    this.#options = options;
    this.#requests = requests;
    this.#api = new JournalApi(requests, options.prefix);
    this.#count = options.streams ?? 4;
  }

  /**
   * Makes the streams that are not there, gives the others the limits that are asked for. Errors: JOURNAL_UNREACHABLE, NATS_SERVER_TOO_OLD,
   * CONFIG_INVALID (no room for the limit, a stream of that name is no journal, or a server acknowledges before it syncs).
   */
  static async open(options: JetStreamJournalOptions): Promise<JetStreamJournal> {
    const journal = new JetStreamJournal(options, new Requests(options.connection));
    try {
      await journal.#openStreams(options.signal);
      return journal;
    } catch (error) {
      await journal[Symbol.asyncDispose]();
      throw error;
    }
  }

  get streams(): readonly string[] {
    return [...this.#streams.keys()].sort((a, b) => Number(a) - Number(b));
  }

  get recordLimitBytes(): number {
    return (this.#requests.connection.info?.max_payload ?? 1024 * 1024) - ENVELOPE_BYTES;
  }

  pickStream(name: string): string {
    return chooseStream(name, this.#count);
  }

  async append(key: JournalKey, entry: JournalEntry, expected: number, signal?: AbortSignal): Promise<number> {
    checkEntry(key, entry, this.recordLimitBytes);
    checkSequence(expected, 'the expected sequence');
    const ended = this.#until(signal);
    const letter = this.#letterOf(key, entry, expected);
    const mostBytes = this.#options.waitingBytes ?? 64 * 1024 * 1024;
    if (entry.reserved !== true && this.#waitingBytes + letter.sizeBytes > mostBytes) {
      throw new TroughError('JOURNAL_BUSY', `more than ${String(mostBytes)} bytes wait for the journal`, {
        key: key.name,
      });
    }
    this.#waitingBytes += letter.sizeBytes;
    try {
      const append = (): Promise<number> => this.#append(letter, entry.reserved === true, ended, signal);
      return await this.#lanes.run(letter.subject, append, ended);
    } finally {
      this.#waitingBytes -= letter.sizeBytes;
    }
  }

  async last(key: JournalKey, signal?: AbortSignal): Promise<JournalRecord | undefined> {
    const at = this.#at(key);
    const ended = this.#until(signal);
    await this.#stream(key.stream, ended);
    const { record } = await this.#persist(`the journal of ${key.name} cannot be read`, ended, () =>
      this.#api.look(at),
    );
    if (record === undefined) return undefined;
    const { sequence, id, body, timeMs } = record;
    return { sequence, id, body, timeMs };
  }

  async *read(key: JournalKey, range: JournalRange, signal?: AbortSignal): AsyncIterable<JournalRecord> {
    const at = this.#at(key);
    const ended = this.#until(signal);
    const through = range.through ?? (await this.last(key, ended))?.sequence ?? 0;
    for await (const { sequence, id, body, timeMs } of this.#replay(at, { ...range, through }, ended))
      yield { sequence, id, body, timeMs };
  }

  async *readStream(stream: string, range: JournalRange, signal?: AbortSignal): AsyncIterable<NamedRecord> {
    const ended = this.#until(signal);
    const through = range.through ?? (await this.state(stream, ended)).lastSequence;
    const at = { key: { stream, name: 'any key' }, subject: this.#api.subjectsOf(stream) };
    yield* this.#replay(at, { ...range, through }, ended);
  }

  async *#replay(
    at: { key: JournalKey; subject: string },
    range: JournalRange & { readonly through: number },
    ended: AbortSignal,
  ): AsyncIterable<NamedRecord> {
    checkSequence(range.from, 'the first sequence');
    const { lostAfterMs } = await this.#stream(at.key.stream, ended);
    const deps = { api: this.#api, clock: this.#options.clock, ended, lostAfterMs };
    yield* replay(deps, { ...at, ...range });
  }

  async purge(key: JournalKey, belowSequence: number, signal?: AbortSignal): Promise<void> {
    const at = this.#at(key);
    checkSequence(belowSequence, 'the sequence to purge up to');
    const ended = this.#until(signal);
    const last = await this.last(key, ended);
    const below = Math.min(belowSequence, last?.sequence ?? 0);
    if (below <= 1) return;
    await this.#persist(
      `the journal of ${key.name} was not shortened`,
      ended,
      async () => (await this.#api.purge(at, below)) ?? {},
    );
    this.#streams.get(key.stream)?.gauge.expire();
  }

  async *keys(stream: string, signal?: AbortSignal): AsyncIterable<string> {
    const ended = this.#until(signal);
    await this.#stream(stream, ended);
    for (let offset = 0; ;) {
      const begin = offset;
      const page = await this.#persist('the keys cannot be listed', ended, () => this.#api.subjects(stream, begin));
      for (const subject of page.subjects) yield this.#api.keyNameOf(subject);
      offset += page.subjects.length;
      if (page.subjects.length === 0 || offset >= page.total) return;
    }
  }

  async state(stream: string, signal?: AbortSignal): Promise<JournalState> {
    const ended = this.#until(signal);
    const { gauge } = await this.#stream(stream, ended);
    const info = await this.#persist(`stream ${stream} does not answer`, ended, () => this.#api.info(stream));
    gauge.learn(info);
    return {
      incarnation: info.created,
      lastSequence: info.state.last_seq,
      records: info.state.messages,
      bytes: info.state.bytes,
      limitBytes: info.config.max_bytes ?? Infinity,
      ordinaryLimitBytes: gauge.ordinaryLimitBytes,
    };
  }

  usage(key: JournalKey, signal?: AbortSignal): Promise<{ records: number; bytes: number }> {
    return sizeOfRecords(this.read(key, { from: 0 }, signal));
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(stopping());
    this.#requests[Symbol.dispose]();
    return Promise.resolve();
  }

  async #append(letter: Letter, reserved: boolean, ended: AbortSignal, giveUp?: AbortSignal): Promise<number> {
    const { key, sizeBytes } = letter;
    demandTime(key, ended);
    const { appender, gauge } = await this.#stream(key.stream, ended);
    if (!reserved && !(await gauge.hasRoom(sizeBytes))) throw full(key, gauge.bytes, gauge.ordinaryLimitBytes);
    demandTime(key, ended);
    return appender.append(letter, ended, giveUp);
  }

  #letterOf(key: JournalKey, { id, body }: JournalEntry, expected: number): Letter {
    const { subject } = this.#at(key);
    const messageId = this.#api.messageIdOf(key, id);
    const sizeBytes = STORED_BYTES + subject.length + messageId.length + body.length;
    return { key, subject, messageId, expected, body, sizeBytes };
  }

  #at(key: JournalKey): { key: JournalKey; subject: string } {
    checkKey(key);
    return { key, subject: this.#api.subjectOf(key) };
  }

  async #openStreams(signal: AbortSignal | undefined): Promise<void> {
    const ended = this.#until(signal);
    await checkServers(this.#requests, this.#options.log, this.#options.isOwnServer);
    const present = await this.#persist('the journal cannot be opened', ended, async () => {
      const names = await this.#api.streams();
      return 'kind' in names ? names : { names };
    });
    const { limitBytes, replicas, log, clock, readyMs = 30_000 } = this.#options;
    const deps = { api: this.#api, log, clock, readyMs, signal: ended };
    const opened = await openStreams(deps, {
      streams: [...new Set([...streamNames(this.#count), ...present.names])],
      limitBytes: limitBytes === undefined ? undefined : Math.floor(limitBytes / this.#count),
      replicas,
    });
    for (const [stream, info] of opened) this.#adopt(stream, info);
  }

  #adopt(stream: string, info: StreamInfo): OpenStream {
    const { clock, random, ordinaryShare = ORDINARY_SHARE } = this.#options;
    const api = this.#api;
    const gauge = new StreamGauge(api, stream, ordinaryShare, clock);
    gauge.learn(info);
    const shipper = new Shipper(api);
    const lostAfterMs = (info.config.num_replicas ?? 1) > 1 ? LOST_AFTER_MS : 0;
    const open = { gauge, appender: new Appender({ api, shipper, gauge, clock, random, lostAfterMs }), lostAfterMs };
    this.#streams.set(stream, open);
    return open;
  }

  /** One that another process has made under its own setting is looked for. Error: JOURNAL_LOST. */
  async #stream(stream: string, ended: AbortSignal): Promise<OpenStream> {
    const open = this.#streams.get(stream);
    if (open !== undefined) return open;
    if (!STREAM_NAME.test(stream)) throw lost(stream, 'cannot be');
    const info = await this.#persist(`stream ${stream} does not answer`, ended, () => this.#api.info(stream));
    return this.#streams.get(stream) ?? this.#adopt(stream, info);
  }

  /** Asks until there is an answer or the signal fires. */
  async #persist<T extends object>(
    what: string,
    ended: AbortSignal,
    ask: () => Promise<T | Failure>,
  ): Promise<Exclude<T, Failure>> {
    let reason = 'the wait was ended';
    for (;;) {
      if (ended.aborted) throw unreachable(what, reason, ended.reason);
      const answer = await ask();
      if (!isFailure(answer)) return answer as Exclude<T, Failure>;
      reason = answer.reason;
      await pause(this.#options.clock, RETRY_MS, ended);
      await whenConnected(this.#requests, ended);
    }
  }

  #until(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]);
  }
}

function demandTime({ name }: JournalKey, ended: AbortSignal): void {
  if (ended.aborted) throw unreachable(`nothing was appended for ${name}`, 'the wait was ended', ended.reason);
}

function isFailure(answer: object): answer is Failure {
  return 'kind' in answer && answer.kind === 'failed';
}
