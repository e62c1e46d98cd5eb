import { TroughError } from '../errors.ts';
import { type Log } from '../log.ts';
import { decodeError } from './answer-frames.ts';
import { outOfMemory } from './out-of-memory.ts';
import { type ChildOptions, ChildProcess } from './child-process.ts';
import { type ServiceMessage, type ServiceName, type Services } from './messages.ts';
import { lowerPriority } from './process-priority.ts';
import { FRAME } from './protocol.ts';

export interface ServiceCallOptions {
  /** Counted from when the child begins with it; the child is killed. */
  readonly deadlineMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Runs beside the calls that come after it; it has no deadline, and ends by `signal` alone. */
  readonly isBackground?: boolean;
  /** It may run again on a new child when this one dies. */
  readonly isRepeatable?: boolean;
}

export interface ServiceHabits {
  /** A child without a call is ended after this, milliseconds, and started again by the next call. Only where no call leaves anything in it. Default: never. */
  readonly idleMs?: number | undefined;
  /** It gives way to other processes: nobody waits for what it does. */
  readonly isNice?: boolean | undefined;
}

/** A child that has nothing to do ends at once. */
const IDLE_GRACE_MS = 2_000;

interface Pending {
  readonly id: number;
  readonly message: string;
  readonly name: ServiceName;
  readonly options: ServiceCallOptions;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: TroughError) => void;
  onAbort: (() => void) | undefined;
  attempts: number;
}

/**
 * One child for what is not a query. It is started by the first call. Its calls run one after the other, so the oldest one is the one
 * that runs, and the only one whose time is counted.
 */
export class ServiceChild {
  readonly #options: ChildOptions;
  readonly #log: Log;
  readonly #habits: ServiceHabits;
  readonly #dying = new Set<ChildProcess>();
  readonly #pending = new Map<number, Pending>();
  #order: Pending[] = [];
  #child: ChildProcess | undefined;
  #goneHearers = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #whenIdle: (() => void) | undefined;
  #lastId = 0;
  #isStopped = false;
  kills = 0;
  restarts = 0;

  constructor(options: ChildOptions, log: Log, habits: ServiceHabits = {}) {
    this.#options = options;
    this.#log = log;
    this.#habits = habits;
  }

  get children(): number {
    return this.#child === undefined ? 0 : 1;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Calls `hear` once when the child that runs now is gone; what is kept in that child, handles above all, is gone with it. Ends with the returned function. */
  onGone(hear: () => void): () => void {
    this.#goneHearers.add(hear);
    return () => {
      this.#goneHearers.delete(hear);
    };
  }

  call<Name extends ServiceName>(
    name: Name,
    args: Services[Name]['args'],
    options: ServiceCallOptions = {},
  ): Promise<Services[Name]['answer']> {
    const { signal } = options;
    if (this.#isStopped) return Promise.reject(new TroughError('ENGINE_STOPPED', 'the engine was stopped'));
    if (signal?.aborted === true) return Promise.reject(cancelled());
    const message: ServiceMessage = { name, args };
    const { promise: answer, resolve, reject } = Promise.withResolvers<unknown>();
    const pending: Pending = {
      id: this.#nextId(),
      message: JSON.stringify(message),
      name,
      options,
      resolve,
      reject,
      onAbort: undefined,
      attempts: 0,
    };
    pending.onAbort = () => {
      this.#cancel(pending);
    };
    signal?.addEventListener('abort', pending.onAbort, { once: true });
    this.#send(pending);
    return answer as Promise<Services[Name]['answer']>;
  }

  /** Resolves when no call is open, or after `graceMs`. */
  async settle(graceMs: number): Promise<void> {
    if (this.#pending.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, graceMs);
      this.#whenIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async stop(graceMs: number): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#idleTimer);
    for (const pending of this.#takeAll()) pending.reject(new TroughError('ENGINE_STOPPED', 'the engine was stopped'));
    const children = this.#child === undefined ? [...this.#dying] : [this.#child, ...this.#dying];
    await Promise.all(children.map((child) => child.stop(graceMs)));
  }

  #nextId(): number {
    this.#lastId = (this.#lastId + 1) >>> 0;
    return this.#lastId;
  }

  #send(pending: Pending): void {
    clearTimeout(this.#idleTimer);
    pending.attempts += 1;
    this.#pending.set(pending.id, pending);
    this.#start().send(FRAME.service, pending.id, pending.message);
    if (pending.options.isBackground === true) return;
    this.#order.push(pending);
    if (this.#order[0] === pending) this.#watchFirst();
  }

  #start(): ChildProcess {
    if (this.#child !== undefined) return this.#child;
    const child: ChildProcess = new ChildProcess(this.#options, {
      onReady: () => {
        if (child === this.#child) this.#watchFirst();
      },
      onFrame: (type, id, payload) => {
        if (child === this.#child) this.#receive(type, id, payload);
      },
      onGone: (_, end) => {
        this.#dying.delete(child);
        if (child !== this.#child) return;
        if (!this.#isStopped) this.#log.error({ ...end, call: this.#order[0]?.name }, 'service process died');
        if (end.isOutOfMemory) this.#blameFirst();
        this.#onDied(new TroughError('ENGINE_CHILD_DIED', 'the process died'));
      },
    });
    this.#child = child;
    if (this.#habits.isNice === true) lowerPriority(child.pid, this.#log);
    return child;
  }

  #restLater(): void {
    const { idleMs } = this.#habits;
    if (idleMs === undefined || this.#pending.size > 0 || this.#isStopped) return;
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => {
      const child = this.#child;
      if (child === undefined || this.#pending.size > 0) return;
      this.#child = undefined;
      this.#dying.add(child);
      void child.stop(IDLE_GRACE_MS);
    }, idleMs).unref();
  }

  #receive(type: number, id: number, payload: Buffer): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#forget(pending);
    if (type === FRAME.value) pending.resolve(JSON.parse(payload.toString('utf8')));
    else pending.reject(decodeError(payload, {}));
    if (this.#pending.size === 0) this.#whenIdle?.();
  }

  #forget(pending: Pending): void {
    this.#pending.delete(pending.id);
    stopListening(pending);
    this.#restLater();
    if (this.#order[0] !== pending) {
      this.#order = this.#order.filter((other) => other !== pending);
      return;
    }
    this.#order.shift();
    this.#watchFirst();
  }

  #watchFirst(): void {
    clearTimeout(this.#timer);
    const first = this.#order[0];
    const deadlineMs = first?.options.deadlineMs;
    // A process that is starting runs nothing yet.
    if (first === undefined || deadlineMs === undefined || this.#child?.isReady !== true) return;
    this.#timer = setTimeout(() => {
      this.#forget(first);
      first.reject(
        new TroughError('ENGINE_DEADLINE', `${first.name} ran longer than ${String(deadlineMs)} ms`, { deadlineMs }),
      );
      this.#kill(`deadline of ${first.name}`);
    }, deadlineMs);
  }

  /** What has not begun is dropped; what runs and can be cut short is; the rest has its deadline. */
  #cancel(pending: Pending): void {
    if (!this.#pending.has(pending.id)) return;
    this.#child?.send(FRAME.cancel, pending.id);
    if (pending.options.isBackground !== true) this.#forgetLater(pending);
    pending.reject(cancelled());
  }

  /** The one that runs keeps its place, so that its deadline holds; its answer goes nowhere. */
  #forgetLater(pending: Pending): void {
    if (this.#order[0] !== pending) this.#forget(pending);
  }

  #kill(reason: string): void {
    const child = this.#child;
    if (child === undefined) return;
    this.kills += 1;
    this.#log.warn({ reason, pid: child.pid }, 'service process killed');
    this.#dying.add(child);
    child.kill();
    this.#onDied(new TroughError('ENGINE_CHILD_DIED', 'the process was ended for another call'));
  }

  /** What ran when the memory was used up is not repeated. A commit alone may have been done all the same. */
  #blameFirst(): void {
    const first = this.#order[0];
    if (first === undefined || first.name === 'commit') return;
    this.#forget(first);
    first.reject(outOfMemory());
  }

  #onDied(cause: TroughError): void {
    this.#child = undefined;
    clearTimeout(this.#timer);
    const hearers = this.#goneHearers;
    this.#goneHearers = new Set();
    for (const hear of hearers) hear();
    if (this.#isStopped) return;
    this.restarts += 1;
    for (const pending of this.#takeAll()) {
      if (pending.options.isRepeatable === true && pending.attempts < 2) this.#send(pending);
      else {
        stopListening(pending);
        pending.reject(cause);
      }
    }
    if (this.#pending.size === 0) this.#whenIdle?.();
  }

  #takeAll(): Pending[] {
    const all = [...this.#pending.values()];
    this.#pending.clear();
    this.#order = [];
    return all;
  }
}

function stopListening({ options, onAbort }: Pending): void {
  if (onAbort !== undefined) options.signal?.removeEventListener('abort', onAbort);
}

function cancelled(): TroughError {
  return new TroughError('ENGINE_CANCELLED', 'the call was cancelled');
}
