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
  #actor: Actor<Message> | undefined;
  #restMs = 0;
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
      this.#sayRefused();
      return false;
    }
    this.#wake();
    return true;
  };

  /** Lets the messages that wait be handled, then stops the actor. What waits for an actor that cannot be started is given up. */
  async stop(): Promise<void> {
    this.#state = 'stopping';
    this.#endRest();
    while (this.#turn !== undefined) await this.#turn;
    if (!this.#started) return;
    this.#started = false;
    await this.#actor?.stop?.();
  }

  #wake(): void {
    this.#turn ??= this.#run().finally(() => {
      this.#turn = undefined;
      if (this.#mailbox.size > 0) this.#wake();
    });
  }

  /** At 1, 2, 4, 8 … refused messages: a flood must not flood the log too. */
  #sayRefused(): void {
    const { dropped } = this.#mailbox;
    if ((dropped & (dropped - 1)) !== 0) return;
    this.#options.log.warn({ actor: this.name, dropped }, 'mailbox full, message refused');
  }

  async #run(): Promise<void> {
    // One turn of the event loop between being woken and working: the sender's own step ends first.
    await Promise.resolve();
    const actor = await this.#startedActor();
    if (actor === undefined) return;
    for (let message = this.#mailbox.shift(); message !== undefined; message = this.#mailbox.shift()) {
      try {
        const pending = actor.receive(message);
        if (pending !== undefined) await pending;
      } catch (error) {
        await this.#tearDown(actor, error);
        if (this.#state === 'open') await this.#startedActor();
        return;
      }
    }
  }

  /** Tries until the actor works; undefined when the cell is stopped before that, and then nothing waits in the mailbox any more. */
  async #startedActor(): Promise<Actor<Message> | undefined> {
    for (;;) {
      if (this.#restMs > 0) await this.#rest();
      try {
        this.#actor ??= this.#create();
        if (this.#started) return this.#actor;
        if (this.#state === 'stopping' && this.#mailbox.size === 0) return undefined;
        await this.#actor.start?.();
        this.#started = true;
        this.#startedAt = this.#options.clock.monotonic();
        return this.#actor;
      } catch (error) {
        this.#failed(error);
        if (this.#state === 'stopping') {
          this.#giveUpWaiting();
          return undefined;
        }
      }
    }
  }

  async #tearDown(actor: Actor<Message>, error: unknown): Promise<void> {
    const { clock, log } = this.#options;
    if (clock.monotonic() - this.#startedAt > WELL_AFTER_MS) this.#backoff.reset();
    this.#failed(error);
    try {
      await actor.stop?.();
    } catch (stopError) {
      log.error({ actor: this.name, err: TroughError.from(stopError) }, 'failed actor did not stop cleanly');
    }
  }

  #failed(error: unknown): void {
    this.#started = false;
    this.#actor = undefined;
    this.#restMs = this.#backoff.next();
    this.#options.log.error(
      { actor: this.name, err: TroughError.from(error), restMs: this.#restMs },
      'actor failed and is made anew',
    );
  }

  async #rest(): Promise<void> {
    const restMs = this.#restMs;
    this.#restMs = 0;
    if (this.#state === 'stopping') return;
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.after(restMs, resolve);
      this.#endRest = () => {
        cancel();
        resolve();
      };
    });
  }

  #giveUpWaiting(): void {
    let lost = 0;
    while (this.#mailbox.shift() !== undefined) lost += 1;
    if (lost > 0)
      this.#options.log.error(
        { actor: this.name, lost },
        'messages were given up, since the actor could not be started',
      );
  }
}
