import { TroughError } from '../errors.ts';
import { type AnswerLimits } from './answer-budget.ts';
import { Connections } from './child-connections.ts';
import { RunningQuery } from './child-query.ts';
import { type ChildSettings, type QueryMessage, type ServiceHandlers, type ServiceMessage } from './messages.ts';
import { creditsFor, FIRST_CREDITS, FRAME, FrameWriter } from './protocol.ts';

/** How long a child works before it looks at its socket again, milliseconds. */
const TURN_MS = 4;
/** Answers wait for each other no longer than this, milliseconds. */
const BATCH_MS = 0.5;

interface Waiting {
  readonly call: number;
  readonly type: typeof FRAME.query | typeof FRAME.service | typeof FRAME.forget;
  readonly payload: Buffer;
}

interface Stream {
  readonly query: RunningQuery;
  credits: number;
}

/**
 * Runs the calls of one child in the order in which they came; long answers go on beside them, a chunk at a time, as far as the
 * parent has given credit. SQLite is synchronous: between two chunks, and between two calls, is the only time to listen.
 */
export class ChildServer {
  readonly #out: FrameWriter;
  readonly #connections: Connections;
  readonly #answers: AnswerLimits;
  readonly #services: ServiceHandlers;
  readonly #now: () => number;
  #waiting: Waiting[] = [];
  readonly #streams = new Map<number, Stream>();
  readonly #background = new Map<number, AbortController>();
  #isScheduled = false;
  #lastFlush = 0;

  constructor(
    write: (bytes: Uint8Array, done: () => void) => void,
    { openFiles, cacheBytes, answers = {} }: ChildSettings,
    services: ServiceHandlers,
    now: () => number,
  ) {
    this.#out = new FrameWriter(write);
    // Before work that may take long: the parent takes what it has heard nothing of for what runs.
    const beforeUnknown = (): void => {
      if (!this.#out.isEmpty) this.#flush(this.#now());
    };
    this.#connections = new Connections(openFiles, beforeUnknown, cacheBytes);
    this.#answers = answers;
    this.#services = services;
    this.#now = now;
  }

  ready(): void {
    this.#out.send(FRAME.ready, 0);
    this.#out.flush();
  }

  receive(type: number, call: number, payload: Buffer): void {
    if (type === FRAME.query || type === FRAME.service || type === FRAME.forget) {
      this.#waiting.push({ type, call, payload });
    } else if (type === FRAME.cancel) {
      this.#cancel(call);
    } else if (type === FRAME.credit) {
      const stream = this.#streams.get(call);
      if (stream !== undefined) stream.credits += payload.readUInt32BE(0);
    }
  }

  /** After everything that had arrived was received. */
  wake(): void {
    if (!this.#isScheduled) this.#turn();
  }

  #turn(): void {
    this.#isScheduled = false;
    const end = this.#now() + TURN_MS;
    this.#lastFlush = this.#now();
    let done = 0;
    for (const waiting of this.#waiting) {
      this.#run(waiting);
      done += 1;
      const now = this.#now();
      if (now - this.#lastFlush > BATCH_MS) this.#flush(now);
      if (now > end) break;
    }
    this.#waiting.splice(0, done);
    for (const [call, stream] of this.#streams) if (stream.credits > 0) this.#advance(call, stream);
    this.#flush(this.#now());
    if (this.#waiting.length > 0 || this.#canAdvance()) {
      this.#isScheduled = true;
      setImmediate(() => {
        this.#turn();
      });
    }
  }

  #flush(now: number): void {
    this.#out.flush();
    this.#lastFlush = now;
  }

  #canAdvance(): boolean {
    for (const { credits } of this.#streams.values()) if (credits > 0) return true;
    return false;
  }

  #run({ type, call, payload }: Waiting): void {
    try {
      const text = payload.toString('utf8');
      if (type === FRAME.query) this.#startQuery(call, JSON.parse(text) as QueryMessage);
      else if (type === FRAME.service) this.#serve(call, JSON.parse(text) as ServiceMessage);
      else this.#connections.forget(text);
    } catch (error) {
      this.#fail(call, error);
    }
  }

  #startQuery(call: number, message: QueryMessage): void {
    const query = new RunningQuery(message, this.#connections, this.#answers);
    const { bytes, isLast } = query.next();
    const columns = query.columnsJson;
    if (isLast) {
      const header = Buffer.allocUnsafe(17);
      header.writeUInt32BE(this.#connections.size, 0);
      header.writeUInt32BE(query.openMicros, 4);
      header.writeUInt32BE(query.rows, 8);
      header.writeUInt8(query.truncated ? 1 : 0, 12);
      header.writeUInt32BE(columns.length, 13);
      this.#out.send(FRAME.result, call, header, columns, bytes);
      return;
    }
    query.becomeStream();
    this.#streams.set(call, { query, credits: FIRST_CREDITS - creditsFor(bytes.length) });
    const header = Buffer.allocUnsafe(12);
    header.writeUInt32BE(this.#connections.size, 0);
    header.writeUInt32BE(query.openMicros, 4);
    header.writeUInt32BE(columns.length, 8);
    this.#out.send(FRAME.head, call, header, columns, bytes);
  }

  #advance(call: number, stream: Stream): void {
    try {
      const { bytes, isLast } = stream.query.next();
      stream.credits -= creditsFor(bytes.length);
      if (bytes.length > 0) this.#out.send(FRAME.chunk, call, bytes);
      if (!isLast) return;
      this.#streams.delete(call);
      const payload = Buffer.allocUnsafe(13);
      payload.writeUInt32BE(this.#connections.size, 0);
      payload.writeDoubleBE(stream.query.rows, 4);
      payload.writeUInt8(stream.query.truncated ? 1 : 0, 12);
      this.#out.send(FRAME.end, call, payload);
    } catch (error) {
      this.#streams.delete(call);
      this.#fail(call, error);
    }
  }

  #serve(call: number, { name, args }: ServiceMessage): void {
    const abort = new AbortController();
    const handler = this.#services[name] as (args: unknown, signal: AbortSignal) => unknown;
    const answer = handler(args, abort.signal);
    if (!(answer instanceof Promise)) {
      this.#out.send(FRAME.value, call, JSON.stringify(answer));
      return;
    }
    this.#background.set(call, abort);
    answer.then(
      (value) => {
        this.#out.send(FRAME.value, call, JSON.stringify(value));
        this.#endBackground(call);
      },
      (error: unknown) => {
        this.#fail(call, error);
        this.#endBackground(call);
      },
    );
  }

  #endBackground(call: number): void {
    this.#background.delete(call);
    this.#out.flush();
  }

  #cancel(call: number): void {
    this.#background.get(call)?.abort();
    const stream = this.#streams.get(call);
    stream?.query.close();
    const isWaiting = this.#waiting.some((waiting) => waiting.call === call);
    if (stream === undefined && !isWaiting) return;
    this.#streams.delete(call);
    this.#waiting = this.#waiting.filter((waiting) => waiting.call !== call);
    this.#fail(call, new TroughError('ENGINE_CANCELLED', 'the call was cancelled'));
  }

  #fail(call: number, error: unknown): void {
    this.#out.send(FRAME.fail, call, JSON.stringify(TroughError.from(error).toRecord()));
  }
}
