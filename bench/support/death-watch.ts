import { descendants, type SeenProcess, stillRuns } from '../../test/support/process-tree.ts';

/** How late a death may be noticed, ms, when this process has nothing else to do. */
export const LOOK_EVERY_MS = 5;
const SEARCH_EVERY_MS = 100;

/** Notes when processes that another one started are gone. */
export class DeathWatch {
  readonly #pid: number;
  readonly #died: number[] = [];
  /** By id and start: once it is here, only its death takes a process out. */
  readonly #living = new Map<string, SeenProcess>();
  #looking: NodeJS.Timeout | undefined;
  #searching: NodeJS.Timeout | undefined;

  constructor(pid: number) {
    this.#pid = pid;
  }

  async start(): Promise<void> {
    await this.#search();
    this.#looking = setInterval(() => {
      this.#look();
    }, LOOK_EVERY_MS);
    this.#searching = setInterval(() => void this.#search(), SEARCH_EVERY_MS);
  }

  /** When each was seen to be gone, as of `performance.now()`, in that order. */
  stop(): readonly number[] {
    this.#look();
    clearInterval(this.#looking);
    clearInterval(this.#searching);
    return this.#died;
  }

  async #search(): Promise<void> {
    for (const seen of await descendants(this.#pid)) {
      if (stillRuns(seen)) this.#living.set(`${String(seen.pid)} ${seen.startedAt}`, seen);
    }
  }

  #look(): void {
    for (const [key, seen] of this.#living) {
      if (stillRuns(seen)) continue;
      this.#living.delete(key);
      this.#died.push(performance.now());
    }
  }
}
