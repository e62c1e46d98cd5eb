import { creditsFor, FIRST_CREDITS } from './protocol.ts';
import { type QueryCall } from './query-call.ts';

/** A query as one child has it. */
export interface Sent {
  readonly id: number;
  readonly call: QueryCall;
  /** Its first chunk has come. */
  isStream: boolean;
  /** Chunks that the child may still send. */
  credits: number;
  /** Its asker waits no longer, or it runs elsewhere: the child was told. */
  isAbandoned: boolean;
  /** It was taken back; it stays here until the child has confirmed that it does not run it, or has run it all the same. */
  isTakenBack: boolean;
  timer: NodeJS.Timeout | undefined;
}

/** A child has about so much work before it, milliseconds: as much as keeps it busy for a round trip. What waits longer waits where it can still go elsewhere. */
const WORK_AHEAD_MS = 2;
const WINDOW = { least: 2, most: 16 };
/** How much of the average one query is. */
const LEARNING = 1 / 16;
/** Longer than this says nothing about the next query. */
const LONGEST_LEARNED_MS = 20;

/** What a child was sent and has not ended. It says what it has done at once, so as long as it is silent it is at one piece of work. */
export class SentQueries {
  readonly #byId = new Map<number, Sent>();
  readonly #streams = new Set<Sent>();
  /** Those whose first chunk is awaited, in the order in which the child runs them. */
  readonly #order: Sent[] = [];
  #lastId = 0;
  #pieceMs = 0.1;
  /** Since when it has been at its present piece of work, when it has any. */
  pieceSince = 0;

  /** Those that wait for their first chunk. */
  get waiting(): number {
    return this.#order.length;
  }

  get size(): number {
    return this.#byId.size;
  }

  get hasStreams(): boolean {
    return this.#streams.size > 0;
  }

  /** The one that runs, unless a stream does. */
  get head(): Sent | undefined {
    return this.#order[0];
  }

  /** How many may wait for their first chunk. */
  get window(): number {
    return Math.min(WINDOW.most, Math.max(WINDOW.least, Math.floor(WORK_AHEAD_MS / this.#pieceMs)));
  }

  /** A stream may be what runs now. */
  get hasRunnableStream(): boolean {
    for (const { credits } of this.#streams) if (credits > 0) return true;
    return false;
  }

  /** It is what the child is at, as far as one can know. */
  mayRun(sent: Sent): boolean {
    return sent.isStream ? sent.credits > 0 && this.head === undefined : sent === this.head;
  }

  hasTakenBack(call: QueryCall): boolean {
    return this.#order.some((sent) => sent.call === call && sent.isTakenBack);
  }

  byId(id: number): Sent | undefined {
    return this.#byId.get(id);
  }

  add(call: QueryCall, now: number): Sent {
    this.#lastId = (this.#lastId + 1) >>> 0;
    const sent = {
      id: this.#lastId,
      call,
      isStream: false,
      credits: 0,
      isAbandoned: false,
      isTakenBack: false,
      timer: undefined,
    };
    this.#startWork(now);
    this.#byId.set(sent.id, sent);
    this.#order.push(sent);
    return sent;
  }

  addCredits(sent: Sent, chunks: number, now: number): void {
    this.#startWork(now);
    sent.credits += chunks;
  }

  /** The child has said something: it is at another piece of work. Returns what the last one took, milliseconds. */
  heard(now: number): number {
    const tookMs = now - this.pieceSince;
    this.pieceSince = now;
    return tookMs;
  }

  /** Its first chunk took so long. */
  learn(tookMs: number): void {
    this.#pieceMs += (Math.min(tookMs, LONGEST_LEARNED_MS) - this.#pieceMs) * LEARNING;
  }

  becomeStream(sent: Sent, firstBytes: number): void {
    this.#outOfOrder(sent);
    sent.isStream = true;
    sent.credits = FIRST_CREDITS - creditsFor(firstBytes);
    this.#streams.add(sent);
  }

  remove(sent: Sent): void {
    clearTimeout(sent.timer);
    this.#byId.delete(sent.id);
    if (sent.isStream) this.#streams.delete(sent);
    else this.#outOfOrder(sent);
  }

  /** How long it has been at one piece of work, milliseconds; 0 when it has none. */
  silentMs(now: number): number {
    return this.#hasWork() ? now - this.pieceSince : 0;
  }

  /** Those whose first chunk is awaited and whose asker still waits. */
  wanted(): Sent[] {
    return this.#order.filter(({ isAbandoned }) => !isAbandoned);
  }

  clear(): Sent[] {
    const all = [...this.#byId.values()];
    for (const sent of all) clearTimeout(sent.timer);
    this.#byId.clear();
    this.#streams.clear();
    this.#order.length = 0;
    return all;
  }

  #hasWork(): boolean {
    return this.#order.length > 0 || this.hasRunnableStream;
  }

  #startWork(now: number): void {
    if (!this.#hasWork()) this.pieceSince = now;
  }

  #outOfOrder(sent: Sent): void {
    const at = this.#order.indexOf(sent);
    if (at === 0) this.#order.shift();
    else if (at > 0) this.#order.splice(at, 1);
  }
}
