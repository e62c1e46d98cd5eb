import { TroughError } from '../errors.ts';
import { type Actor, type ActorRef } from './actor.ts';
import { ActorCell, type SpawnOptions } from './actor-cell.ts';
import { type SupervisorOptions } from './supervisor-options.ts';

interface Owned {
  readonly name: string;
  readonly stop: () => Promise<void>;
  readonly graceMs: number;
}

/**
 * Starts actors and other resources, runs their timers, and stops all of it in reverse order of start.
 * An actor whose `receive` throws is made anew after a backoff; its queue is kept, the message that failed is not.
 */
export class Supervisor implements AsyncDisposable {
  readonly #options: SupervisorOptions;
  readonly #owned: Owned[] = [];
  #stopping: Promise<void> | undefined;
  #hasStopped = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Starts an actor. `create` is called again for each restart, so state that must survive lives in ports. */
  spawn<Message>(create: () => Actor<Message>, options: SpawnOptions = {}): ActorRef<Message> {
    if (this.#stopping !== undefined) throw new TroughError('STOPPING', 'the process is stopping');
    const cell = new ActorCell(create, this.#options, options);
    this.#owned.push({ name: cell.name, graceMs: this.#options.graceMs, stop: () => cell.stop() });
    return cell;
  }

  /** Sends `message()` to `actor` every `periodMs`, the first time after about one period. */
  every<const Message>(periodMs: number, actor: ActorRef<Message>, message: () => Message): void {
    let cancel = (): void => undefined;
    this.adopt(`${actor.name} timer`, () => {
      cancel();
    });
    const arm = (): void => {
      const { clock } = this.#options;
      cancel = clock.after(clock.untilTick(periodMs), () => {
        actor.send(message());
        arm();
      });
    };
    arm();
  }

  /**
   * Puts any resource into the stop order, at this place; with a grace time of its own, ms, when it is given one. While everything stops, it is
   * stopped next; STOPPING when that is over.
   */
  adopt(name: string, stop: () => void | PromiseLike<void>, graceMs = this.#options.graceMs): void {
    if (this.#hasStopped) throw new TroughError('STOPPING', `the process has stopped; ${name} comes too late`);
    this.#owned.push({
      name,
      graceMs,
      stop: async () => {
        await stop();
      },
    });
  }

  /** Stops everything, last started first. Each child has the grace time; then it is left behind and said so. */
  async stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    await this.#stopping;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #stopAll(): Promise<void> {
    for (let child = this.#owned.pop(); child !== undefined; child = this.#owned.pop()) {
      await this.#stopOne(child);
    }
    this.#hasStopped = true;
  }

  async #stopOne(child: Owned): Promise<void> {
    const { clock, log } = this.#options;
    const { graceMs } = child;
    let cancel = (): void => undefined;
    const grace = new Promise<'late'>((resolve) => {
      cancel = clock.after(graceMs, () => {
        resolve('late');
      });
    });
    try {
      const ended = await Promise.race([child.stop().then(() => 'ended' as const), grace]);
      if (ended === 'late')
        log.warn({ child: child.name, graceMs }, 'did not stop in its grace time and is left behind');
    } catch (error) {
      log.error({ child: child.name, err: error }, 'failed while it was stopped');
    } finally {
      cancel();
    }
  }
}
