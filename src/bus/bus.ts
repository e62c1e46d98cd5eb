/** Header names are case-sensitive, values one line of text. */
export type BusHeaders = Readonly<Record<string, string>>;

export interface BusMessage {
  readonly subject: string;
  readonly body: Uint8Array;
  readonly headers: BusHeaders;
}

/** What an answer is made of: headers known before the body, the body whole or in pieces, headers known after it. */
export interface BusAnswer {
  readonly headers: BusHeaders;
  /** Pieces of any size; the driver cuts and joins them to chunks. A throw in the middle ends the answer with its error. */
  readonly body: Uint8Array | AsyncIterable<Uint8Array>;
  /** Asked once, when the body has ended well; rides on the last message. */
  readonly trailers?: () => BusHeaders;
  /** Of a body in pieces: aborts when it has failed, with the error as its reason. So the answer ends also while its asker takes nothing. */
  readonly failure?: AbortSignal | undefined;
}

/** A message that wants an answer. `signal` fires when the asker is known to be gone or its deadline is over. */
export interface BusRequest extends BusMessage {
  readonly signal: AbortSignal;
}

/** An answer as it arrives. `body` throws BUS_ANSWER_BROKEN, BUS_TIMEOUT or the error that the other side ended with. */
export interface BusReply {
  /** Of an answer in one message this holds its trailers too. */
  readonly headers: BusHeaders;
  readonly body: AsyncIterable<Uint8Array>;
  /** Of an answer in several messages: aborts when `body` has failed or will, with the error as its reason, also while its consumer takes nothing. */
  readonly failure?: AbortSignal | undefined;
  /** Valid once `body` has ended well; holds the headers as well. */
  readonly trailers: () => BusHeaders;
}

export interface RequestOptions {
  readonly headers?: BusHeaders;
  /** From now to the first message of the answer, and again from each message to the next, in ms. */
  readonly deadlineMs: number;
  /**
   * Ms without any sign of life from the answering side after which the request, or its body, fails with BUS_TIMEOUT and `silent: true` in its
   * context. Counts from the sending, and from each message or sign (an answering bus gives one every 2 s while it works). Does not run while
   * the consumer has pieces left to take. Default: none, the deadline alone counts.
   */
  readonly silenceMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Subscription {
  /** Ends it. Messages on their way are dropped; requests on their way are still answered. */
  unsubscribe(): void;
}

export interface Endpoint {
  /** May hold `*` tokens. */
  readonly subject: string;
  /** Members of one group share the requests; without a group every subscriber answers. */
  readonly group?: string;
  /** Shows the endpoint in the NATS services API under this name of this process's service (`nats micro ls`). */
  readonly advertiseAs?: string;
}

export type BusStatus = 'connected' | 'disconnected';

/**
 * Messages between processes: NATS in production, memory in tests and in the simulator.
 *
 * - A handler may answer a request with one message or with a stream; a result over 512 KB goes as numbered chunks with `Trough-Seq`,
 *   the last one `Trough-Last: 1`, at most 8 of them unacknowledged. A small answer is a single message that any client understands.
 * - A thrown TroughError becomes an answer with `Trough-Status` and `Trough-Error`, and is thrown again at the asker.
 * - Disposing takes no more requests, lets those under way be answered for a grace time, then fails what is left with STOPPING.
 * - Delivery is at most once; order holds from one sender to one subscriber.
 */
export interface Bus extends AsyncDisposable {
  /** Never waits. While disconnected the message may be lost: everything published is repeated or asked for by its receivers. */
  publish(subject: string, body: Uint8Array, headers?: BusHeaders): void;
  subscribe(subject: string, hear: (message: BusMessage) => void): Subscription;
  /** Answers requests. Runs many side by side, one more than the driver's bound is answered MAILBOX_FULL; the handler bounds itself below that. */
  answer(endpoint: Endpoint, handle: (request: BusRequest) => Promise<BusAnswer>): Subscription;
  /** BUS_NO_RESPONDERS at once when nobody listens, BUS_TIMEOUT, BUS_UNREACHABLE (`sent: false` in its context: nothing was sent), or the error that the answer carries. */
  request(subject: string, body: Uint8Array, options: RequestOptions): Promise<BusReply>;
  readonly status: BusStatus;
  /** Called at each change; returns the function that ends it. */
  onStatus(hear: (status: BusStatus) => void): () => void;
  /** Resolves when everything published so far has reached the server. */
  flush(signal?: AbortSignal): Promise<void>;
}
