import { systemClock } from '../../src/runtime/clock.ts';
import { type TroughRun } from './trough-process.ts';

/** Of a segment that it writes to. */
export const LIST = 'create table list (at integer primary key, number)';
const PAUSE_MS = 50;
const PATIENCE_MS = 90_000;

/**
 * One client that writes 0, 1, 2, … into a segment, each under a name of its own, and repeats each, at whichever node still answers, until it is
 * acknowledged: so in the end every number that was acknowledged is there once, in order.
 */
export class AppendLoad {
  readonly segment: string;
  /** How many were acknowledged. */
  acknowledged = 0;
  /** ms, the longest time that one number took. */
  longestMs = 0;
  readonly #nodes: () => readonly TroughRun[];
  readonly #paceMs: number;
  readonly #done: Promise<void>;
  #stopped = false;

  /** `paceMs`: between an acknowledgement and the next number. */
  constructor(segment: string, nodes: () => readonly TroughRun[], paceMs = 0) {
    this.#paceMs = paceMs;
    this.segment = segment;
    this.#nodes = nodes;
    this.#done = this.#run();
    this.#done.catch(() => undefined);
  }

  /** Resolves when the last number is acknowledged. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const beganAt = performance.now();
      await this.#append(this.acknowledged, beganAt);
      this.longestMs = Math.max(this.longestMs, performance.now() - beganAt);
      this.acknowledged += 1;
      if (this.#paceMs > 0) await pause(this.#paceMs);
    }
  }

  async #append(number: number, beganAt: number): Promise<void> {
    let last = 'nobody answered';
    for (let tries = 0; performance.now() - beganAt < PATIENCE_MS; tries += 1) {
      const nodes = this.#nodes();
      const node = nodes[tries % nodes.length];
      if (node !== undefined) {
        const failure = await write(node, this.segment, number);
        if (failure === undefined) return;
        last = failure;
      }
      await pause(PAUSE_MS);
    }
    throw new Error(`${this.segment}: ${String(number)} was not acknowledged: ${last}`);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => systemClock.after(ms, resolve));
}

async function write({ ready }: TroughRun, segment: string, number: number): Promise<string | undefined> {
  const url = new URL(`v1/segments/${segment}/write`, ready.urls.write);
  const statements = [{ sql: 'insert into list (number) values (?)', params: [number] }];
  try {
    const body = JSON.stringify({ statements, requestId: `${segment}-${String(number)}` });
    const answer = await fetch(url, { method: 'POST', body });
    const text = await answer.text();
    return answer.ok ? undefined : text;
  } catch (error) {
    return String(error);
  }
}
