import { TroughError } from '../errors.ts';
import { type Actor, type ActorRef } from './actor.ts';
import { Backoff } from './backoff.ts';
import { Mailbox, type Overflow } from './mailbox.ts';
import { type SupervisorOptions } from './supervisor-options.ts';

export interface SpawnOptions {
  /** Most messages that may wait; default 10,000. */
  readonly mailboxLimit?: number;
  /** What happens to one more; default `refuse`. */
  readonly overflow?: Overflow;
}

const RESTART = { firstMs: 50, mostMs: 5_000 };
/** An actor that has worked this long after a restart counts as well again. */
const WELL_AFTER_MS = 30_000;

/** One running actor: its mailbox, its turn-taking, and its restarts. */
export class ActorCell<Message> implements ActorRef<Message> {
  readonly name: string;
  readonly #create: () => Actor<Message>;
  readonly #options: SupervisorOptions;
  readonly #mailbox: Mailbox<Message>;
  readonly #backoff: Backoff;
  #actor: Actor<Message>;
  #started = false;
  #startedAt = 0;
  #turn: Promise<void> | undefined;
  #state: 'open' | 'stopping' = 'open';
  #endRest: () => void = () => undefined;

  constructor(create: () => Actor<Message>, options: SupervisorOptions, spawn: SpawnOptions) {
    this.#create = create;
    this.#actor = create();
    this.name = this.#actor.name;
    this.#options = options;
    this.#mailbox = new Mailbox(spawn.mailboxLimit ?? 10_000, spawn.overflow ?? 'refuse');
    this.#backoff = new Backoff(RESTART, options.random);
    this.#wake();
  }

  readonly send = (message: Message): boolean => {
    if (this.#state !== 'open') return false;
    if (!this.#mailbox.push(message)) {
      this.#options.log.warn({ actor: this.name, dropped: this.#mailbox.dropped }, 'mailbox full, message refused');
      return false;
    }
    this.#wake();
    return true;
  };

  /** Lets the messages that wait be handled, then stops the actor. */
  async stop(): Promise<void> {
    this.#state = 'stopping';
    this.#endRest();
    while (this.#turn !== undefined) await this.#turn;
    if (this.#started) await this.#actor.stop?.();
  }

  #wake(): void {
    this.#turn ??= this.#run().finally(() => {
      this.#turn = undefined;
      if (this.#mailbox.size > 0) this.#wake();
    });
  }

  async #run(): Promise<void> {
    // One turn of the event loop between being woken and working: the sender's own step ends first.
    await Promise.resolve();
    if (!(await this.#ensureStarted())) return;
    for (let message = this.#mailbox.shift(); message !== undefined; message = this.#mailbox.shift()) {
      try {
        const pending = this.#actor.receive(message);
        if (pending !== undefined) await pending;
      } catch (error) {
        await this.#restart(error);
        return;
      }
    }
  }

  async #ensureStarted(): Promise<boolean> {
    if (this.#started) return true;
    try {
      await this.#actor.start?.();
      this.#started = true;
      this.#startedAt = this.#options.clock.monotonic();
      return true;
    } catch (error) {
      await this.#restart(error);
      return false;
    }
  }

  async #restart(error: unknown): Promise<void> {
    const { clock, log } = this.#options;
    if (this.#started && clock.monotonic() - this.#startedAt > WELL_AFTER_MS) this.#backoff.reset();
    const restMs = this.#backoff.next();
    log.error({ actor: this.name, err: TroughError.from(error), restMs }, 'actor failed and is made anew');
    try {
      if (this.#started) await this.#actor.stop?.();
    } catch (stopError) {
      log.error({ actor: this.name, err: stopError }, 'failed actor did not stop cleanly');
    }
    this.#started = false;
    this.#actor = this.#create();
    if (this.#state === 'stopping') return;
    await new Promise<void>((resolve) => {
      const cancel = clock.after(restMs, resolve);
      this.#endRest = () => {
        cancel();
        resolve();
      };
    });
    if (this.#mailbox.size === 0) await this.#ensureStarted();
  }
}
