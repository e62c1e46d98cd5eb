import { systemClock } from '../../src/runtime/clock.ts';
import { type TroughRun } from './trough-process.ts';

export interface ReadFigures {
  readonly reads: number;
  readonly perSecond: number;
  /** Reads that failed once and were answered by the next node. */
  readonly again: number;
  /** What the others failed with, at both of their tries. */
  readonly failed: readonly string[];
  readonly slowestMs: number;
}

export interface ReadLoadOptions {
  readonly perSecond: number;
  /** What a client knows; also of one that is dead. */
  readonly nodes: () => readonly TroughRun[];
  readonly segments: readonly string[];
  readonly sql: string;
  /** What is to come back, as the original's readers say it, without the line's end. */
  readonly answer: (segment: string) => string;
}

const MOST_AT_A_TIME = 64;
const DEADLINE_MS = 30_000;

/** Reads one segment after the other through one node after the other, so many in a second as long as the machine keeps up; what fails is tried once more, at the next node. */
export class ReadLoad implements AsyncDisposable {
  readonly #options: ReadLoadOptions;
  readonly #startedAt = systemClock.monotonic();
  readonly #underWay = new Set<Promise<void>>();
  readonly #failed: string[] = [];
  readonly #running: Promise<void>;
  #stopping = false;
  #reads = 0;
  #again = 0;
  #slowestMs = 0;

  constructor(options: ReadLoadOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  get figures(): ReadFigures {
    return {
      reads: this.#reads,
      perSecond: (this.#reads * 1_000) / (systemClock.monotonic() - this.#startedAt),
      again: this.#again,
      failed: this.#failed,
      slowestMs: this.#slowestMs,
    };
  }

  /** Resolves when what is under way has ended. */
  async stop(): Promise<ReadFigures> {
    const { perSecond } = this.figures;
    this.#stopping = true;
    await this.#running;
    await Promise.all(this.#underWay);
    return { ...this.figures, perSecond };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #run(): Promise<void> {
    const everyMs = 1_000 / this.#options.perSecond;
    let dueAt = this.#startedAt;
    while (!this.#stopping) {
      while (this.#underWay.size >= MOST_AT_A_TIME) await Promise.race(this.#underWay);
      const now = systemClock.monotonic();
      // What was not done in time is left out.
      dueAt = Math.max(dueAt + everyMs, now);
      const one = this.#one(this.#reads).finally(() => this.#underWay.delete(one));
      this.#underWay.add(one);
      this.#reads += 1;
      await new Promise<void>((resolve) => systemClock.after(dueAt - now, resolve));
    }
  }

  async #one(number: number): Promise<void> {
    const { segments, nodes } = this.#options;
    const segment = segments[number % segments.length] ?? '';
    const startedAt = systemClock.monotonic();
    const all = nodes();
    const errors: string[] = [];
    for (const attempt of [0, 1]) {
      const node = all[(number + attempt) % all.length];
      try {
        if (node !== undefined) await this.#read(node, segment);
        break;
      } catch (error) {
        errors.push(`${segment} through ${node?.ready.node ?? 'nobody'}: ${describe(error)}`);
      }
    }
    if (errors.length === 1) this.#again += 1;
    if (errors.length > 1) this.#failed.push(errors.join('; '));
    this.#slowestMs = Math.max(this.#slowestMs, systemClock.monotonic() - startedAt);
  }

  async #read({ ready }: TroughRun, segment: string): Promise<void> {
    const { sql, answer } = this.#options;
    const url = `${ready.urls.read ?? ''}?segment=${encodeURIComponent(segment)}`;
    const response = await fetch(url, { method: 'POST', body: sql, signal: AbortSignal.timeout(DEADLINE_MS) });
    const text = await response.text();
    if (text.trimEnd() !== answer(segment)) throw new Error(`${String(response.status)} ${text.slice(0, 200)}`);
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}
