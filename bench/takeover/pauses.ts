import { AppendLoad } from '../../test/support/append-load.ts';
import { eventually } from '../../test/support/eventually.ts';
import { type TroughRun } from '../../test/support/trough-process.ts';

/** So that the load leaves processor time to what it waits for. */
const PACE_MS = 20;
const LONG_MS = 120_000;
/** So many acknowledged writes more say that a segment goes on. */
const GOES_ON = 20;

/** One client for each segment, that writes one number after the other at any node and repeats each until it is acknowledged. */
export class Pauses implements AsyncDisposable {
  readonly #loads: readonly AppendLoad[];

  constructor(segments: readonly string[], nodes: () => readonly TroughRun[]) {
    this.#loads = segments.map((segment) => new AppendLoad(segment, nodes, PACE_MS));
  }

  /** The longest time, ms, that any one write took that was under way during `event` or came after it, until all segments went on. */
  async longestDuring(event: () => Promise<void>): Promise<number> {
    await this.#goOn();
    for (const load of this.#loads) load.longestMs = 0;
    await event();
    await this.#goOn();
    return Math.max(...this.#loads.map(({ longestMs }) => longestMs));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#loads.map((load) => load.stop()));
  }

  async #goOn(): Promise<void> {
    const before = this.#loads.map(({ acknowledged }) => acknowledged);
    await eventually(
      'every segment goes on',
      () => this.#loads.every(({ acknowledged }, index) => acknowledged >= (before[index] ?? 0) + GOES_ON),
      LONG_MS,
    );
  }
}
