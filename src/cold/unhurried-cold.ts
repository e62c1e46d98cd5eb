import { TroughError } from '../errors.ts';
import { type SegmentId } from '../model/segment-id.ts';
import { type ColdFile, type ColdStore, type Fetched, type FetchedKnown, type ListEvent } from './cold-store.ts';
import { type FetchProcess } from './fetch-process.ts';

/** A cold storage whose fetches are made in a process of low priority: for what nobody waits for. All else is that storage. */
export class UnhurriedCold implements ColdStore {
  readonly #cold: ColdStore;
  readonly #process: FetchProcess;

  /** `process` fetches from the very same storage. */
  constructor(cold: ColdStore, process: FetchProcess) {
    this.#cold = cold;
    this.#process = process;
  }

  get description(): string {
    return this.#cold.description;
  }

  probe(signal?: AbortSignal): Promise<void> {
    return this.#cold.probe(signal);
  }

  list(cursor: string | undefined, signal?: AbortSignal): AsyncIterable<ListEvent> {
    return this.#cold.list(cursor, signal);
  }

  stat(id: SegmentId, signal?: AbortSignal): Promise<ColdFile | undefined> {
    return this.#cold.stat(id, signal);
  }

  fetch(id: SegmentId, to: string, expected: { readonly sha256?: undefined }, signal?: AbortSignal): Promise<Fetched>;
  fetch(
    id: SegmentId,
    to: string,
    expected: { readonly sha256?: string | undefined },
    signal?: AbortSignal,
  ): Promise<FetchedKnown>;
  async fetch(
    id: SegmentId,
    to: string,
    { sha256 }: { readonly sha256?: string | undefined },
    signal?: AbortSignal,
  ): Promise<FetchedKnown> {
    try {
      return await this.#process.fetch({ id, to, sha256 }, signal);
    } catch (error) {
      if (TroughError.from(error).code !== 'COLD_MISSING') throw error;
      // Listings are made here, and what they told of files in unusual places the other process does not know.
      const at = await this.#cold.stat(id, signal);
      if (at === undefined) throw error;
      return await this.#process.fetch({ id, to, sha256, at }, signal);
    }
  }

  publish(...args: Parameters<ColdStore['publish']>): Promise<ColdFile> {
    return this.#cold.publish(...args);
  }

  discardUploads(id: SegmentId, signal?: AbortSignal): Promise<void> {
    return this.#cold.discardUploads(id, signal);
  }

  remove(id: SegmentId, signal?: AbortSignal): Promise<boolean> {
    return this.#cold.remove(id, signal);
  }

  checksum(id: SegmentId, signal?: AbortSignal): Promise<string> {
    return this.#cold.checksum(id, signal);
  }
}
