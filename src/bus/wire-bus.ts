import { type ErrorContext, TroughError } from '../errors.ts';
import { type Log } from '../log.ts';
import { HEADER, NOTHING } from './answer-protocol.ts';
import {
  type Bus,
  type BusAnswer,
  type BusHeaders,
  type BusMessage,
  type BusReply,
  type BusRequest,
  type BusStatus,
  type Endpoint,
  type RequestOptions,
  type Subscription,
} from './bus.ts';
import { IncomingAnswer } from './incoming-answer.ts';
import { OutgoingAnswer } from './outgoing-answer.ts';
import { type EndpointStats, ServiceDirectory } from './service-directory.ts';
import { type After, type Listening, type Wire, type WireMessage, systemAfter } from './wire.ts';

export interface WireBusOptions {
  readonly log: Log;
  /** How this process is called in the NATS services API; version as major.minor.patch. */
  readonly service?: { readonly name: string; readonly version: string; readonly description?: string };
  /** Most requests that one endpoint works on; one more is answered MAILBOX_FULL. Default 10,000. */
  readonly mostInFlight?: number;
  /** An asker that takes no chunk for so long is given up. Default 30,000 ms. */
  readonly acknowledgeMs?: number;
  /** How often an answer that is worked on and sends nothing gives a sign of life. Default 2,000 ms. */
  readonly workingMs?: number;
  /** At the end, how long answers under way may take to be finished. Default 5,000 ms. */
  readonly graceMs?: number;
  readonly after?: After;
}

type Handle = (request: BusRequest) => Promise<BusAnswer>;

/** The bus over any wire: numbers questions and answers, keeps their deadlines, and tells both sides when the other is gone. */
export class WireBus implements Bus {
  readonly #wire: Wire;
  readonly #options: WireBusOptions;
  readonly #after: After;
  readonly #directory: ServiceDirectory;
  readonly #asked = new Map<string, IncomingAnswer>();
  readonly #answering = new Map<string, OutgoingAnswer>();
  readonly #listening = new Set<Listening>();
  readonly #endpoints = new Set<() => Promise<void>>();
  readonly #endStatus: () => void;
  #count = 0;
  #onIdle: (() => void) | undefined;
  #closing: Promise<void> | undefined;
  #closed = false;

  constructor(wire: Wire, options: WireBusOptions) {
    this.#wire = wire;
    this.#options = options;
    this.#after = options.after ?? systemAfter;
    this.#directory = new ServiceDirectory(wire, options.service ?? { name: 'trough', version: '0.1.0' });
    this.#listen(`${wire.inbox}.>`, undefined, (message) => {
      this.#hearInbox(message);
    });
    this.#endStatus = wire.onStatus((status) => {
      if (status === 'disconnected') this.#onDisconnect();
    });
  }

  get status(): BusStatus {
    return this.#wire.status;
  }

  onStatus(hear: (status: BusStatus) => void): () => void {
    return this.#wire.onStatus(hear);
  }

  publish(subject: string, body: Uint8Array, headers?: BusHeaders): void {
    this.#wire.send(subject, body, headers);
  }

  subscribe(subject: string, hear: (message: BusMessage) => void): Subscription {
    const listening = this.#listen(subject, undefined, hear);
    return {
      unsubscribe: () => {
        this.#listening.delete(listening);
        listening.stop();
      },
    };
  }

  answer(endpoint: Endpoint, handle: Handle): Subscription {
    const entry = this.#directory.add(endpoint);
    let inFlight = 0;
    const listening = this.#listen(endpoint.subject, endpoint.group, (message) => {
      if (message.reply === '') return; // Nobody waits for an answer.
      const refused = inFlight >= (this.#options.mostInFlight ?? 10_000);
      inFlight += 1;
      void this.#answerOne(message, refused ? refuse : handle, entry?.stats).finally(() => {
        inFlight -= 1;
      });
    });
    const end = async (): Promise<void> => {
      this.#endpoints.delete(end);
      entry?.remove();
      await listening.drain();
      this.#listening.delete(listening);
    };
    this.#endpoints.add(end);
    return { unsubscribe: () => void end() };
  }

  request(subject: string, body: Uint8Array, options: RequestOptions): Promise<BusReply> {
    const refusal = this.#refusal(options.signal);
    if (refusal !== undefined) return Promise.reject(refusal);
    const token = this.#nextToken();
    const answer = new IncomingAnswer({
      wire: this.#wire,
      after: this.#after,
      subject,
      deadlineMs: options.deadlineMs,
      silenceMs: options.silenceMs,
      signal: options.signal,
      forget: () => {
        this.#asked.delete(token);
      },
    });
    this.#asked.set(token, answer);
    try {
      const headers = { ...options.headers, [HEADER.patience]: String(options.deadlineMs) };
      this.#wire.send(subject, body, headers, `${this.#wire.inbox}.r.${token}`);
    } catch (error) {
      answer.fail(TroughError.from(error));
    }
    return answer.reply;
  }

  async flush(signal?: AbortSignal): Promise<void> {
    const refusal = this.#refusal(signal);
    if (refusal !== undefined) throw refusal;
    if (signal === undefined) {
      await this.#wire.flush();
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const onAbort = (): void => {
        reject(abortError(signal));
      };
      signal.addEventListener('abort', onAbort, { once: true });
      const settled = this.#wire.flush().finally(() => {
        signal.removeEventListener('abort', onAbort);
      });
      settled.then(resolve, reject);
    });
  }

  /**
   * Takes no more requests, lets those under way be answered for the grace time, then fails the rest with STOPPING.
   * What was published is sent out by the owner of the connection.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  async #close(): Promise<void> {
    await this.#finish();
    this.#closed = true;
    this.#endStatus();
    for (const listening of this.#listening) listening.stop();
    this.#directory.close();
    for (const answer of this.#asked.values()) answer.fail(stopping({ unfinished: true }));
    for (const answer of this.#answering.values()) answer.leave(stopping({ unfinished: true }));
  }

  /** Resolves when no endpoint has work left, or after the grace time. */
  async #finish(): Promise<void> {
    let cancel = (): void => undefined;
    const late = new Promise<void>((resolve) => {
      cancel = this.#after(this.#options.graceMs ?? 5_000, resolve);
    });
    const idle = async (): Promise<void> => {
      await Promise.all([...this.#endpoints].map((end) => end()));
      if (this.#answering.size === 0) return;
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    };
    await Promise.race([idle(), late]);
    cancel();
  }

  #listen(subject: string, group: string | undefined, hear: (message: WireMessage) => void): Listening {
    const listening = this.#wire.listen(subject, group, (message) => {
      try {
        hear(message);
      } catch (error) {
        this.#options.log.error(
          { subject: message.subject, err: TroughError.from(error) },
          'listener failed on a message',
        );
      }
    });
    this.#listening.add(listening);
    return listening;
  }

  async #answerOne(message: WireMessage, handle: Handle, stats: EndpointStats | undefined): Promise<void> {
    const started = performance.now();
    const token = this.#nextToken();
    const answer = new OutgoingAnswer(message, {
      wire: this.#wire,
      after: this.#after,
      acknowledgements: `${this.#wire.inbox}.a.${token}`,
      acknowledgeMs: this.#options.acknowledgeMs ?? 30_000,
      workingMs: this.#options.workingMs ?? 2_000,
    });
    this.#answering.set(token, answer);
    try {
      const error = await answer.run(handle);
      stats?.count(performance.now() - started, error);
      if (error?.code === 'INTERNAL')
        this.#options.log.error({ subject: message.subject, err: error }, 'request failed');
    } catch (error) {
      this.#options.log.error({ subject: message.subject, err: TroughError.from(error) }, 'answer could not be sent');
    } finally {
      this.#answering.delete(token);
      if (this.#answering.size === 0) this.#onIdle?.();
    }
  }

  /** `<inbox>.r.<token>` is an answer to us, `<inbox>.a.<token>.<sequence>` a word about one of ours. */
  #hearInbox(message: WireMessage): void {
    const rest = message.subject.slice(this.#wire.inbox.length + 1);
    if (rest.startsWith('r.')) {
      const answer = this.#asked.get(rest.slice(2));
      if (answer !== undefined) answer.hear(message);
      // Forgotten, and the other side still works for it.
      else if (message.reply !== '') this.#wire.send(message.reply, NOTHING, { [HEADER.cancel]: '1' });
      return;
    }
    const dot = rest.indexOf('.', 2);
    this.#answering.get(rest.slice(2, dot))?.hear(rest.slice(dot + 1), message);
  }

  #onDisconnect(): void {
    const lost = new TroughError('BUS_UNREACHABLE', 'the connection dropped before the answer was complete');
    for (const answer of this.#asked.values()) answer.fail(lost);
    for (const answer of this.#answering.values()) {
      // A chunk may be lost for good. An answer that has not begun can still arrive whole.
      if (answer.isStreaming) answer.leave(lost);
    }
  }

  #refusal(signal: AbortSignal | undefined): TroughError | undefined {
    if (this.#closed) return stopping();
    if (signal?.aborted === true) return abortError(signal);
    if (this.#wire.status === 'connected') return undefined;
    return new TroughError('BUS_UNREACHABLE', 'not connected; trying to connect again', { sent: false });
  }

  #nextToken(): string {
    this.#count += 1;
    return this.#count.toString(36);
  }
}

function abortError(signal: AbortSignal): TroughError {
  const reason: unknown = signal.reason;
  return reason instanceof TroughError ? reason : new TroughError('BUS_TIMEOUT', 'the asker gave up', {}, reason);
}

/** `unfinished`: the request was under way, what it did is not known. */
function stopping(context: ErrorContext = {}): TroughError {
  return new TroughError('STOPPING', 'the bus is closed', context);
}

function refuse(): Promise<BusAnswer> {
  return Promise.reject(new TroughError('MAILBOX_FULL', 'too many requests are under way here; try again shortly'));
}
