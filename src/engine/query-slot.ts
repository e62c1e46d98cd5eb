import { TroughError } from '../errors.ts';
import { type Log } from '../log.ts';
import { decodeColumns, decodeError } from './answer-frames.ts';
import { type ChildOptions, ChildProcess } from './child-process.ts';
import { LongRun } from './long-run.ts';
import { lowerPriority } from './process-priority.ts';
import { creditsFor, FRAME } from './protocol.ts';
import { type QueryCall } from './query-call.ts';
import { type Sent, SentQueries } from './sent-queries.ts';

export interface SlotEvents {
  /** It serves, or has said something: there may be room for another query. */
  readonly onRoom: (slot: QuerySlot, now: number) => void;
  /** A call has left this slot, whichever way; its first chunk took so long, when there was one. */
  readonly onLeft: (slot: QuerySlot, call: QueryCall, tookMs?: number) => void;
  /** The child died. `culprit` had used up its memory; nothing of the orphans was handed out. */
  readonly onDied: (slot: QuerySlot, death: Death) => void;
  /** A slow one's child is gone for good, and nothing of it is left. */
  readonly onGone: (slot: QuerySlot) => void;
}

export interface Death {
  readonly cause: TroughError;
  readonly culprit: QueryCall | undefined;
  /** It was killed for this one, for which nobody waits any more. */
  readonly unwanted: QueryCall | undefined;
  readonly orphans: readonly QueryCall[];
  /** Starts in a row that failed. */
  readonly failedStarts: number;
}

/** `unwanted`: nobody waits any more for what it runs. `long`: it made way for others. `broken`: it said what cannot be understood. */
export type KillReason = 'deadline' | 'cancelled' | 'unwanted' | 'long' | 'broken';

export interface SlotCounters {
  readonly kills: Record<KillReason, number>;
  restarts: number;
}

interface SlotOptions {
  readonly child: ChildOptions;
  readonly events: SlotEvents;
  readonly log: Log;
  /** Shared by all slots, and outliving them. */
  readonly counters: SlotCounters;
  readonly isSlow: boolean;
  readonly isAsleep?: boolean;
}

/** One that is silent for longer gets nothing new, and what waits behind its query goes elsewhere. Milliseconds. */
export const STALL_MS = 20;
/**
 * How long a child may take to see that a query is not wanted any more, milliseconds. What has run for less at its deadline has the rest of
 * the time to end: a start costs more than that.
 */
const DEADLINE_GRACE_MS = 100;
const CANCEL_GRACE_MS = 200;
const RESTART_MS = { first: 50, most: 5_000 };

/** One place in the pool: a child that runs queries. A quick one is replaced when it dies; a slow one ends with its child. */
export class QuerySlot {
  readonly #options: SlotOptions;
  readonly #sent = new SentQueries();
  readonly #dying = new Set<ChildProcess>();
  readonly #longRun = new LongRun();
  #child: ChildProcess | undefined;
  #restartTimer: NodeJS.Timeout | undefined;
  #failedStarts = 0;
  #isStopping = false;
  #isSlow: boolean;
  #isAsleep: boolean;
  openConnections = 0;

  constructor(options: SlotOptions) {
    this.#options = options;
    this.#isSlow = options.isSlow;
    this.#isAsleep = options.isAsleep ?? false;
    if (!this.#isAsleep) this.#start();
  }

  get isReady(): boolean {
    return this.#child?.isReady === true;
  }

  get isSlow(): boolean {
    return this.#isSlow;
  }

  /** It has no child and gets no other. */
  get isSpent(): boolean {
    return this.#isStopping || (this.#isSlow && this.#child === undefined);
  }

  get hasStreams(): boolean {
    return this.#sent.hasStreams;
  }

  /** Queries that wait for their first chunk. */
  get load(): number {
    return this.#sent.waiting;
  }

  get isIdle(): boolean {
    return this.#sent.size === 0;
  }

  /** Without anything to do, milliseconds. */
  idleMs(now: number): number {
    return this.isIdle && this.isReady ? now - this.#sent.pieceSince : 0;
  }

  get window(): number {
    return this.#isSlow ? 1 : this.#sent.window;
  }

  get children(): number {
    return this.#child === undefined ? 0 : 1;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** The query that runs, unless one of its streams does, or nobody waits for it here. */
  get head(): QueryCall | undefined {
    return this.#sent.head?.isAbandoned === false ? this.#sent.head.call : undefined;
  }

  /** What runs is not wanted by anybody. */
  get runsInVain(): boolean {
    return this.#sent.head?.isAbandoned === true && !this.#sent.hasStreams;
  }

  /** Neither starting nor busy with one thing for long. */
  isFlowing(now: number): boolean {
    return this.isReady && !this.#isStopping && this.#sent.silentMs(now) < STALL_MS;
  }

  isOpen(now: number): boolean {
    return this.#sent.waiting < this.window && this.isFlowing(now);
  }

  isStalled(now: number): boolean {
    return this.isReady && this.#sent.silentMs(now) >= STALL_MS;
  }

  /** To be asked at every look at a slot that is stalled. */
  isLong(): boolean {
    return this.#longRun.look(this.pid, this.#sent.pieceSince);
  }

  give(call: QueryCall): void {
    const now = performance.now();
    const sent = this.#sent.add(call, now);
    call.given(this, sent.id, now);
    this.#child?.send(FRAME.query, sent.id, call.payload);
  }

  /** Takes back what waits behind the query that runs; reads do no harm when they run twice. The first one too, when it may wait for a stream. */
  takeBack(): QueryCall[] {
    const [first, ...others] = this.#sent.wanted();
    const isHead = first !== undefined && first === this.#sent.head;
    const mayBeWaiting = first !== undefined && (!isHead || (this.#sent.hasRunnableStream && first.call.moves < 1));
    const taken = mayBeWaiting ? [first, ...others] : others;
    for (const sent of taken) {
      this.#child?.send(FRAME.cancel, sent.id);
      sent.isAbandoned = true;
      sent.isTakenBack = true;
      sent.call.moved();
      this.#options.events.onLeft(this, sent.call);
    }
    return taken.map(({ call }) => call);
  }

  /** It was taken back, and may be what runs here all the same: the child had begun it, and not said that others were done. */
  mayRunInVain(call: QueryCall): boolean {
    return !this.#sent.hasStreams && this.#sent.hasTakenBack(call);
  }

  credit(call: QueryCall, chunks: number): void {
    const sent = this.#sent.byId(call.sentId);
    if (sent?.call !== call) return;
    this.#sent.addCredits(sent, chunks, performance.now());
    const payload = Buffer.allocUnsafe(4);
    payload.writeUInt32BE(chunks);
    this.#child?.send(FRAME.credit, sent.id, payload);
  }

  /** The child closes the file when it comes to that, and nobody runs on it. */
  forget(file: string): void {
    this.#child?.send(FRAME.forget, 0, file);
  }

  /** Nobody waits for it any more: the child is told, and killed when it does not hear. */
  giveUp(call: QueryCall, reason: 'deadline' | 'cancelled'): void {
    const sent = this.#sent.byId(call.sentId);
    if (sent?.call !== call) return;
    sent.isAbandoned = true;
    const isKnownToRun = this.#sent.head === sent && !this.#sent.hasStreams;
    if (reason === 'deadline' && isKnownToRun && this.#sent.silentMs(performance.now()) >= DEADLINE_GRACE_MS) {
      this.#kill(call, reason);
      return;
    }
    this.#child?.send(FRAME.cancel, sent.id);
    this.#killUnlessGone(sent, reason);
  }

  /** From now on it runs what may take long, one at a time, and makes way for everything else. */
  demote(): void {
    this.#isSlow = true;
    lowerPriority(this.pid, this.#options.log);
  }

  /** Starts its first child; false when there is nothing to start. */
  wake(): boolean {
    if (!this.#isAsleep || this.#isStopping) return false;
    this.#isAsleep = false;
    this.#start();
    return true;
  }

  /** Ends the child at once; its queries go elsewhere. */
  kill(reason: KillReason): void {
    const { head } = this.#sent;
    this.#kill(head?.isTakenBack === true ? undefined : head?.call, reason);
  }

  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#restartTimer);
    const children = [this.#child, ...this.#dying];
    await Promise.all(children.map(async (child) => child?.stop(graceMs)));
    const cause = new TroughError('ENGINE_STOPPED', 'the engine was stopped');
    for (const { call, isTakenBack } of this.#sent.clear()) if (!isTakenBack) call.fail(cause);
  }

  #start(): void {
    const child: ChildProcess = new ChildProcess(this.#options.child, {
      onReady: () => {
        this.#sent.heard(performance.now());
        // Not before: a start at low priority takes long on a busy machine.
        if (this.#isSlow) lowerPriority(this.pid, this.#options.log);
        this.#failedStarts = 0;
        this.#options.events.onRoom(this, performance.now());
      },
      onFrame: (type, id, payload) => {
        if (child === this.#child) this.#receive(type, id, payload);
      },
      onGone: (wasReady, { isOutOfMemory }) => {
        this.#dying.delete(child);
        if (child === this.#child) this.#onDied(wasReady, isOutOfMemory);
        if (this.isSpent && this.#dying.size === 0) this.#options.events.onGone(this);
      },
    });
    this.#child = child;
  }

  #receive(type: number, id: number, payload: Buffer): void {
    const now = performance.now();
    const tookMs = this.#sent.heard(now);
    const sent = this.#sent.byId(id);
    if (sent?.isTakenBack === true) this.#confirm(type, sent);
    else if (sent !== undefined) this.#handle(type, sent, payload, tookMs);
    this.#options.events.onRoom(this, now);
  }

  /** What comes of a query that was taken back; a long answer is followed by the end of its cancellation. */
  #confirm(type: number, sent: Sent): void {
    if (type === FRAME.head) this.#sent.becomeStream(sent, 0);
    else if (type !== FRAME.chunk) this.#sent.remove(sent);
  }

  #handle(type: number, sent: Sent, payload: Buffer, tookMs: number): void {
    switch (type) {
      case FRAME.result:
        this.#onResult(sent, payload, tookMs);
        return;
      case FRAME.head:
        this.#onHead(sent, payload, tookMs);
        return;
      case FRAME.chunk:
        sent.credits -= creditsFor(payload.length);
        if (!sent.isAbandoned) sent.call.chunk(payload);
        return;
      case FRAME.end:
        this.openConnections = payload.readUInt32BE(0);
        this.#forget(sent);
        sent.call.finish({ rows: payload.readDoubleBE(4), truncated: payload.readUInt8(12) === 1 });
        return;
      case FRAME.fail:
        // One that was left out says nothing of how long it takes.
        this.#forget(sent, sent.isStream || sent.isAbandoned ? undefined : tookMs);
        sent.call.fail(decodeError(payload, { segment: sent.call.query.segment }));
        return;
      default:
        this.#kill(sent.call, 'broken');
    }
  }

  #onResult(sent: Sent, payload: Buffer, tookMs: number): void {
    this.openConnections = payload.readUInt32BE(0);
    const bodyStart = 17 + payload.readUInt32BE(13);
    const summary = { rows: payload.readUInt32BE(8), truncated: payload.readUInt8(12) === 1 };
    sent.call.openMs = payload.readUInt32BE(4) / 1_000;
    this.#sent.learn(tookMs);
    this.#forget(sent, tookMs);
    const child = this.#child;
    const release = (): void => child?.giveBack(payload);
    sent.call.whole(decodeColumns(payload.subarray(17, bodyStart)), payload.subarray(bodyStart), summary, release);
  }

  #onHead(sent: Sent, payload: Buffer, tookMs: number): void {
    this.openConnections = payload.readUInt32BE(0);
    const bodyStart = 12 + payload.readUInt32BE(8);
    sent.call.openMs = payload.readUInt32BE(4) / 1_000;
    this.#sent.learn(tookMs);
    this.#sent.becomeStream(sent, payload.length - bodyStart);
    sent.call.begin(decodeColumns(payload.subarray(12, bodyStart)), payload.subarray(bodyStart));
  }

  #forget(sent: Sent, tookMs?: number): void {
    this.#sent.remove(sent);
    this.#options.events.onLeft(this, sent.call, tookMs);
  }

  #killUnlessGone(sent: Sent, reason: 'deadline' | 'cancelled'): void {
    sent.timer = setTimeout(
      () => {
        if (this.#sent.mayRun(sent)) this.#kill(sent.call, reason);
        else this.#killUnlessGone(sent, reason);
      },
      reason === 'deadline' ? DEADLINE_GRACE_MS : CANCEL_GRACE_MS,
    );
  }

  #kill(call: QueryCall | undefined, reason: KillReason): void {
    const child = this.#child;
    // One that stops has its own deadline, and must not be replaced.
    if (child === undefined || this.#isStopping) return;
    this.#options.counters.kills[reason] += 1;
    this.#options.log.warn({ segment: call?.query.segment, reason, pid: child.pid }, 'query process killed');
    this.#dying.add(child);
    child.kill();
    const unwanted = reason === 'long' || reason === 'broken' ? undefined : call;
    const cause = new TroughError('ENGINE_CHILD_DIED', 'the query process was ended for another query');
    this.#replace({ cause, culprit: undefined, unwanted }, true);
  }

  #onDied(wasReady: boolean, isOutOfMemory: boolean): void {
    this.#child = undefined;
    if (this.#isStopping) return;
    this.#options.log.error({ wasReady, isOutOfMemory, segment: this.head?.query.segment }, 'query process died');
    const culprit = isOutOfMemory && !this.#sent.hasRunnableStream ? this.head : undefined;
    const cause = new TroughError('ENGINE_CHILD_DIED', 'the query process died');
    this.#replace({ cause, culprit, unwanted: undefined }, wasReady);
  }

  /** The new child is started first: what comes next takes time. */
  #replace(why: Pick<Death, 'cause' | 'culprit' | 'unwanted'>, wasReady: boolean): void {
    this.#options.counters.restarts += 1;
    this.#child = undefined;
    this.openConnections = 0;
    const lost = this.#sent.clear();
    if (!wasReady) this.#failedStarts += 1;
    if (!this.#isSlow && wasReady) this.#start();
    else if (!this.#isSlow) this.#startLater();
    for (const { call, isTakenBack } of lost) if (!isTakenBack) this.#options.events.onLeft(this, call);
    for (const { call, isStream, isTakenBack } of lost) if (isStream && !isTakenBack) call.fail(why.cause);
    const orphans = lost.filter(({ isStream, isAbandoned }) => !isStream && !isAbandoned).map(({ call }) => call);
    this.#options.events.onDied(this, { ...why, orphans, failedStarts: this.#failedStarts });
  }

  #startLater(): void {
    const delayMs = Math.min(RESTART_MS.first * 2 ** this.#failedStarts, RESTART_MS.most);
    this.#restartTimer = setTimeout(() => {
      this.#start();
    }, delayMs);
  }
}
