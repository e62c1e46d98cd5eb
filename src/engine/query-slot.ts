import { TroughError } from '../errors.ts';
import { type Log } from '../log.ts';
import { decodeColumns, decodeError } from './answer-frames.ts';
import { type ChildOptions, ChildProcess } from './child-process.ts';
import { FRAME } from './protocol.ts';
import { type QueryCall } from './query-call.ts';

interface SlotEvents {
  /** There is room for another query. */
  readonly onRoom: () => void;
  /** The child died under these, and nothing of them was handed out. */
  readonly onOrphans: (calls: readonly QueryCall[], cause: TroughError) => void;
  /** A call has left this slot, whichever way. */
  readonly onLeft: (call: QueryCall) => void;
}

interface Sent {
  readonly id: number;
  readonly call: QueryCall;
  isStream: boolean;
  isAbandoned: boolean;
  timer: NodeJS.Timeout | undefined;
}

/** How long a child may take to see that a query is not wanted any more, milliseconds. */
const DEADLINE_GRACE_MS = 100;
const CANCEL_GRACE_MS = 200;
const RESTART_MS = { first: 50, most: 5_000 };

/** One place in the pool: a child that runs queries, replaced when it dies. */
export class QuerySlot {
  readonly #options: ChildOptions;
  readonly #events: SlotEvents;
  readonly #log: Log;
  readonly #sent = new Map<number, Sent>();
  readonly #byCall = new Map<QueryCall, Sent>();
  readonly #dying = new Set<ChildProcess>();
  /** Those whose first chunk is still awaited, in the order in which the child runs them: the first one is running. */
  #order: Sent[] = [];
  #headSince = 0;
  #child: ChildProcess | undefined;
  #restartTimer: NodeJS.Timeout | undefined;
  #failedStarts = 0;
  #lastId = 0;
  #isStopping = false;
  openConnections = 0;
  kills = 0;
  restarts = 0;

  constructor(options: ChildOptions, events: SlotEvents, log: Log) {
    this.#options = options;
    this.#events = events;
    this.#log = log;
    this.#start();
  }

  /** Queries that wait for their first chunk. */
  get load(): number {
    return this.#order.length;
  }

  get isReady(): boolean {
    return this.#child?.isReady === true;
  }

  get isIdle(): boolean {
    return this.#sent.size === 0;
  }

  get children(): number {
    return this.#child === undefined ? 0 : 1;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** How long the query that runs now has been running, milliseconds; 0 when none is. */
  headAgeMs(now: number): number {
    return this.#order.length === 0 ? 0 : now - this.#headSince;
  }

  give(call: QueryCall): void {
    this.#lastId = (this.#lastId + 1) >>> 0;
    const sent: Sent = { id: this.#lastId, call, isStream: false, isAbandoned: false, timer: undefined };
    call.started();
    this.#sent.set(sent.id, sent);
    this.#byCall.set(call, sent);
    if (this.#order.length === 0) this.#headSince = performance.now();
    this.#order.push(sent);
    this.#child?.send(FRAME.query, sent.id, call.payload);
  }

  /** Takes back what waits behind a query that runs for long. Reads do no harm when they run twice. */
  takeBack(most: number): QueryCall[] {
    const waiting = this.#order.slice(1).filter(({ isAbandoned }) => !isAbandoned);
    const taken = waiting.slice(Math.max(0, waiting.length - most));
    for (const sent of taken) {
      this.#child?.send(FRAME.cancel, sent.id);
      sent.call.attempts -= 1;
      this.#forget(sent);
    }
    return taken.map(({ call }) => call);
  }

  credit(call: QueryCall, chunks: number): void {
    const sent = this.#byCall.get(call);
    if (sent === undefined) return;
    const payload = Buffer.allocUnsafe(4);
    payload.writeUInt32BE(chunks);
    this.#child?.send(FRAME.credit, sent.id, payload);
  }

  /** Nobody waits for it any more: the child is told, and killed when it does not hear. */
  giveUp(call: QueryCall, reason: 'deadline' | 'cancelled'): void {
    const sent = this.#byCall.get(call);
    if (sent === undefined) return;
    sent.isAbandoned = true;
    if (reason === 'deadline' && this.#isRunning(sent) && this.#sent.size === this.#order.length) {
      this.#kill(sent, reason);
      return;
    }
    this.#child?.send(FRAME.cancel, sent.id);
    this.#killUnlessGone(sent, reason);
  }

  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#restartTimer);
    const child = this.#child;
    const children = child === undefined ? [...this.#dying] : [child, ...this.#dying];
    await Promise.all(children.map((each) => each.stop(graceMs)));
    this.#loseAll(new TroughError('ENGINE_STOPPED', 'the engine was stopped'));
  }

  #start(): void {
    const child: ChildProcess = new ChildProcess(this.#options, {
      onFrame: (type, id, payload) => {
        if (child === this.#child) this.#receive(type, id, payload);
      },
      onGone: (wasReady) => {
        this.#dying.delete(child);
        if (child === this.#child) this.#onDied(wasReady);
      },
    });
    this.#child = child;
    for (const sent of this.#order) child.send(FRAME.query, sent.id, sent.call.payload);
  }

  #receive(type: number, id: number, payload: Buffer): void {
    const sent = this.#sent.get(id);
    if (sent === undefined) return;
    switch (type) {
      case FRAME.result:
        this.#onResult(sent, payload);
        return;
      case FRAME.head:
        this.#onHead(sent, payload);
        return;
      case FRAME.chunk:
        if (!sent.isAbandoned) sent.call.chunk(payload);
        return;
      case FRAME.end:
        this.openConnections = payload.readUInt32BE(0);
        this.#forget(sent);
        sent.call.finish({ rows: payload.readDoubleBE(4), truncated: payload.readUInt8(12) === 1 });
        return;
      case FRAME.fail:
        this.#forget(sent);
        sent.call.fail(decodeError(payload, { segment: sent.call.query.segment }));
        return;
      default:
        this.#kill(sent, `an unknown frame ${String(type)}`);
    }
  }

  #onResult(sent: Sent, payload: Buffer): void {
    this.openConnections = payload.readUInt32BE(0);
    const bodyStart = 17 + payload.readUInt32BE(13);
    const summary = { rows: payload.readUInt32BE(8), truncated: payload.readUInt8(12) === 1 };
    sent.call.openMs = payload.readUInt32BE(4) / 1_000;
    this.#forget(sent);
    sent.call.whole(decodeColumns(payload.subarray(17, bodyStart)), payload.subarray(bodyStart), summary);
  }

  #onHead(sent: Sent, payload: Buffer): void {
    this.openConnections = payload.readUInt32BE(0);
    const bodyStart = 12 + payload.readUInt32BE(8);
    sent.isStream = true;
    sent.call.openMs = payload.readUInt32BE(4) / 1_000;
    this.#outOfOrder(sent);
    sent.call.begin(decodeColumns(payload.subarray(12, bodyStart)), payload.subarray(bodyStart));
    this.#events.onRoom();
  }

  #forget(sent: Sent): void {
    clearTimeout(sent.timer);
    this.#sent.delete(sent.id);
    this.#byCall.delete(sent.call);
    this.#outOfOrder(sent);
    this.#events.onLeft(sent.call);
    this.#events.onRoom();
  }

  #outOfOrder(sent: Sent): void {
    if (this.#order[0] === sent) {
      this.#order.shift();
      this.#headSince = performance.now();
    } else {
      this.#order = this.#order.filter((other) => other !== sent);
    }
  }

  /** A child that is not ready yet has begun nothing, and hears of a cancel first. */
  #isRunning(sent: Sent): boolean {
    return this.isReady && this.#order[0] === sent;
  }

  #killUnlessGone(sent: Sent, reason: 'deadline' | 'cancelled'): void {
    sent.timer = setTimeout(
      () => {
        if (sent.isStream || this.#isRunning(sent)) this.#kill(sent, reason);
        else this.#killUnlessGone(sent, reason);
      },
      reason === 'deadline' ? DEADLINE_GRACE_MS : CANCEL_GRACE_MS,
    );
  }

  #kill({ call }: Sent, reason: string): void {
    const child = this.#child;
    if (child === undefined) return;
    this.kills += 1;
    this.#log.warn({ segment: call.query.segment, reason, pid: child.pid }, 'query process killed');
    this.#dying.add(child);
    child.kill();
    this.#replace(new TroughError('ENGINE_CHILD_DIED', 'the query process was ended for another query'), true);
  }

  #onDied(wasReady: boolean): void {
    this.#child = undefined;
    if (this.#isStopping) return;
    this.#log.error({ wasReady }, 'query process died');
    this.#replace(new TroughError('ENGINE_CHILD_DIED', 'the query process died'), wasReady);
  }

  /** The new child comes first, so that orphans may be given to it. */
  #replace(cause: TroughError, wasReady: boolean): void {
    this.restarts += 1;
    this.#child = undefined;
    const lost = this.#takeAll();
    this.#failedStarts = wasReady ? 0 : this.#failedStarts + 1;
    if (wasReady) this.#start();
    else this.#startLater();
    this.#handOn(lost, cause);
  }

  #startLater(): void {
    const delayMs = Math.min(RESTART_MS.first * 2 ** this.#failedStarts, RESTART_MS.most);
    this.#restartTimer = setTimeout(() => {
      this.#start();
      this.#events.onRoom();
    }, delayMs);
  }

  #takeAll(): Sent[] {
    const lost = [...this.#sent.values()];
    for (const sent of lost) clearTimeout(sent.timer);
    this.#sent.clear();
    this.#byCall.clear();
    this.#order = [];
    this.openConnections = 0;
    return lost;
  }

  #handOn(lost: readonly Sent[], cause: TroughError): void {
    for (const { call } of lost) this.#events.onLeft(call);
    for (const { call, isStream } of lost) if (isStream) call.fail(cause);
    const orphans = lost.filter(({ isStream, isAbandoned }) => !isStream && !isAbandoned).map(({ call }) => call);
    this.#events.onOrphans(orphans, cause);
  }

  #loseAll(cause: TroughError): void {
    for (const { call } of this.#takeAll()) call.fail(cause);
  }
}
