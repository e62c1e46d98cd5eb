import { createHash } from 'node:crypto';
import { type ColdFile, type ColdStore, type Fetched, type ListEvent } from '../../src/cold/cold-store.ts';
import { TroughError } from '../../src/errors.ts';
import { parseSegmentId, type SegmentId } from '../../src/model/segment-id.ts';
import { type Random } from './random.ts';
import { type SimMachineDisk } from './sim-disk.ts';
import { EPOCH_MS, type SimProcess } from './sim-process.ts';
import { type Timeline } from './timeline.ts';

export interface StoredCold {
  readonly content: string;
  readonly modifiedMs: number;
}

/** A fetch that ended well. */
export interface FetchedFile {
  readonly machine: string;
  readonly id: string;
  readonly to: string;
  readonly content: string;
}

export interface ColdWeather {
  readonly delayMs: number;
  /** The share of calls that fail. */
  readonly failures: number;
  /** The share of fetches of which something else arrives than was there. */
  readonly torn: number;
}

export function sha256Of(content: string): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Cold storage itself: one place, with a clock of its own, for all machines. */
export class SimCold {
  readonly files = new Map<string, StoredCold>();
  /** What somebody took away, as it was: nothing else was put in its place. */
  readonly gone = new Map<string, StoredCold>();
  /** What is uploaded and not yet put in place, and of which segment. */
  readonly uploads = new Map<object, string>();
  readonly #timeline: Timeline;
  readonly #random: Random;
  readonly counts = { failed: 0, torn: 0, fetches: 0 };
  weather: ColdWeather = { delayMs: 5, failures: 0, torn: 0 };
  isUp = true;
  /** Told of each file that was put in place by a process, of what stood there before, and by whom. */
  onPublished: (id: string, before: string | undefined, by: string) => void = () => undefined;
  onFetched: (fetched: FetchedFile) => void = () => undefined;

  constructor(timeline: Timeline, random: Random) {
    this.#timeline = timeline;
    this.#random = random;
  }

  /** As anybody may put a file there. */
  put(id: string, content: string): StoredCold {
    // Two files of one moment still have different times, as on a storage with fine time stamps.
    const before = this.files.get(id)?.modifiedMs ?? 0;
    const stored = { content, modifiedMs: Math.max(before + 1, Math.floor(EPOCH_MS + this.#timeline.now)) };
    this.files.set(id, stored);
    this.gone.delete(id);
    return stored;
  }

  /** As anybody may take a file away. */
  vanish(id: string): void {
    const stored = this.files.get(id);
    if (stored === undefined) return;
    this.gone.set(id, stored);
    this.files.delete(id);
  }

  /** As if it had never been away; false when it is not gone any more. */
  comeBack(id: string): boolean {
    const stored = this.gone.get(id);
    if (stored === undefined) return false;
    this.gone.delete(id);
    this.files.set(id, stored);
    return true;
  }

  port(process: SimProcess, machine: string, disk: SimMachineDisk): ColdStore {
    return new SimColdStore(this, process, machine, disk);
  }

  async call<T>(process: SimProcess, what: string, signal: AbortSignal | undefined, effect: () => T): Promise<T> {
    const { delayMs, failures } = this.weather;
    const isFailing = this.#random.chance(failures);
    await process.call(delayMs * this.#random.between(0.2, 1), () => undefined);
    if (signal?.aborted === true) throw new TroughError('COLD_FAILED', `${what}: given up`, { cancelled: true });
    if (!this.isUp || isFailing) {
      this.counts.failed += 1;
      throw new TroughError('COLD_FAILED', `${what}: cold storage does not answer`);
    }
    const result = effect();
    await process.call(delayMs * this.#random.between(0.2, 1), () => undefined);
    return result;
  }

  isTorn(): boolean {
    const isTorn = this.#random.chance(this.weather.torn);
    if (isTorn) this.counts.torn += 1;
    return isTorn;
  }
}

/** Cold storage as one process has it. */
class SimColdStore implements ColdStore {
  readonly description = 'simulated cold storage';
  readonly #cold: SimCold;
  readonly #process: SimProcess;
  readonly #machine: string;
  readonly #disk: SimMachineDisk;
  #listed = new Map<string, StoredCold>();
  #cursor = 0;

  constructor(cold: SimCold, process: SimProcess, machine: string, disk: SimMachineDisk) {
    this.#cold = cold;
    this.#process = process;
    this.#machine = machine;
    this.#disk = disk;
  }

  probe(signal?: AbortSignal): Promise<void> {
    return this.#call('probe', signal, () => undefined);
  }

  async *list(cursor: string | undefined, signal?: AbortSignal): AsyncIterable<ListEvent> {
    const isComplete = cursor === undefined || cursor !== String(this.#cursor);
    const before = isComplete ? new Map<string, StoredCold>() : this.#listed;
    const now = await this.#call('list', signal, () => new Map(this.#cold.files));
    for (const [id, stored] of now) {
      if (before.get(id) !== stored) yield { kind: 'file', file: asFile(parseSegmentId(id), stored) };
    }
    for (const id of before.keys()) {
      if (!now.has(id)) yield { kind: 'gone', id: parseSegmentId(id), path: pathOf(id) };
    }
    await this.#call('list', signal, () => undefined);
    this.#listed = now;
    this.#cursor += 1;
    const done = { kind: 'done', cursor: String(this.#cursor), files: now.size } as const;
    yield isComplete ? { ...done, complete: true } : done;
  }

  stat(id: SegmentId, signal?: AbortSignal): Promise<ColdFile | undefined> {
    return this.#call('stat', signal, () => {
      const stored = this.#cold.files.get(id);
      return stored === undefined ? undefined : asFile(id, stored);
    });
  }

  async fetch(
    id: SegmentId,
    to: string,
    expected: { readonly sha256?: string | undefined },
    signal?: AbortSignal,
  ): Promise<Fetched> {
    this.#cold.counts.fetches += 1;
    const { content, modifiedMs } = await this.#call('fetch', signal, () => this.#must(id));
    const sha256 = sha256Of(content);
    if (this.#cold.isTorn() || (expected.sha256 !== undefined && expected.sha256 !== sha256)) {
      throw new TroughError('COLD_COPY_TORN', `'${id}' does not hold what it should`, { segment: id });
    }
    await this.#disk.operate(this.#process, 'fetch', () => {
      if (this.#disk.files.has(to)) throw new TroughError('COLD_FAILED', `${to} is there already`);
      this.#disk.write(to, content);
    });
    this.#cold.onFetched({ machine: this.#machine, id, to, content });
    return { sizeBytes: content.length, sha256, modifiedMs };
  }

  async publish(
    id: SegmentId,
    from: string,
    sha256: string,
    signal?: AbortSignal,
    beforeReplacing?: () => Promise<void>,
  ): Promise<ColdFile> {
    const content = this.#disk.files.get(from)?.content;
    if (content === undefined || sha256Of(content) !== sha256) {
      throw new TroughError('COLD_COPY_TORN', `${from} does not hold what it should`);
    }
    // The upload under a temporary name, then the renaming.
    const upload = {};
    await this.#call('publish', signal, () => this.#cold.uploads.set(upload, id));
    await beforeReplacing?.();
    return this.#call('publish', signal, () => {
      if (!this.#cold.uploads.delete(upload)) throw new TroughError('COLD_FAILED', `the upload of '${id}' is gone`);
      const before = this.#cold.files.get(id)?.content;
      const stored = this.#cold.put(id, content);
      this.#cold.onPublished(id, before, this.#process.name);
      return asFile(id, stored);
    });
  }

  discardUploads(id: SegmentId, signal?: AbortSignal): Promise<void> {
    return this.#call('discard uploads', signal, () => {
      for (const [upload, of] of this.#cold.uploads) if (of === id) this.#cold.uploads.delete(upload);
    });
  }

  remove(id: SegmentId, signal?: AbortSignal): Promise<boolean> {
    return this.#call('remove', signal, () => this.#cold.files.delete(id));
  }

  checksum(id: SegmentId, signal?: AbortSignal): Promise<string> {
    return this.#call('checksum', signal, () => sha256Of(this.#must(id).content));
  }

  #must(id: string): StoredCold {
    const stored = this.#cold.files.get(id);
    if (stored === undefined) throw new TroughError('COLD_MISSING', `'${id}' is not in cold storage`, { segment: id });
    return stored;
  }

  #call<T>(what: string, signal: AbortSignal | undefined, effect: () => T): Promise<T> {
    return this.#cold.call(this.#process, what, signal, effect);
  }
}

function asFile(id: SegmentId, { content, modifiedMs }: StoredCold): ColdFile {
  return { id, path: pathOf(id), sizeBytes: content.length, modifiedMs };
}

function pathOf(id: string): string {
  return `/cold/${id}.sqlite`;
}
