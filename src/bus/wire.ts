import { type BusHeaders, type BusStatus } from './bus.ts';

/** A message as it comes off the wire. */
export interface WireMessage {
  readonly subject: string;
  /** Empty when no answer is wanted. */
  readonly reply: string;
  readonly body: Uint8Array;
  readonly headers: BusHeaders;
  /** The server's word that nobody listens where a message with this as its reply subject was sent. */
  readonly noResponders: boolean;
}

/** One subscription on the wire. */
export interface Listening {
  /** From now on nothing is heard. */
  stop(): void;
  /** The server sends nothing more; what it sent already is still heard. Resolves then, and never rejects. */
  drain(): Promise<void>;
}

/** Delivers bytes at most once, in order from one sender to one listener. All of the bus that differs between NATS and memory. */
export interface Wire {
  /** A subject prefix that only this wire listens to. */
  readonly inbox: string;
  readonly status: BusStatus;
  /** Throws on a message that the wire cannot carry (too large, a header that is not one line). Never waits. */
  send(subject: string, body: Uint8Array, headers?: BusHeaders, reply?: string): void;
  /** `subject` may hold `*` and `>`. */
  listen(subject: string, group: string | undefined, hear: (message: WireMessage) => void): Listening;
  onStatus(hear: (status: BusStatus) => void): () => void;
  /** Resolves when all that was sent has reached the server; rejects when the connection drops. */
  flush(): Promise<void>;
}

/** How long things take: `Clock.after` fits. The returned function cancels. */
export type After = (delayMs: number, run: () => void) => () => void;

/** A timer takes no longer delay than this; beyond it Node would fire at once. */
const LONGEST_MS = 2 ** 31 - 1;

export const systemAfter: After = (delayMs, run) => {
  const timer = setTimeout(run, Math.min(delayMs, LONGEST_MS));
  return () => {
    clearTimeout(timer);
  };
};
