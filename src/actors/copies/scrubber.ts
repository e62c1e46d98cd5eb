import { type Disk, type FileDigest } from '../../disk/disk.ts';
import { type ErrorCode, TroughError } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { type FoundBy } from '../../messages/copy-report.ts';
import { type DataPaths } from '../../model/paths.ts';
import { type SegmentId } from '../../model/segment-id.ts';
import { type Actor, type Emit } from '../../runtime/actor.ts';
import { type Clock } from '../../runtime/clock.ts';
import { pause } from '../../runtime/pause.ts';
import { type CopyRecord, type Inventory } from './inventory.ts';

export interface ScrubberMessage {
  readonly kind: 'tick';
}

export type ScrubberNews =
  | { readonly kind: 'damaged'; readonly segment: SegmentId; readonly version: number; readonly foundBy: FoundBy }
  /** Every copy that was due has been read. */
  | { readonly kind: 'compare' };

export interface ScrubberDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly disk: Disk;
  readonly paths: DataPaths;
  readonly inventory: Inventory;
  /** Within this every copy is read again, ms; 0: never. */
  readonly periodMs: number;
  /** Its file may be another in a moment. */
  readonly isBusy: (id: SegmentId) => boolean;
  readonly emit: Emit<ScrubberNews>;
}

/** What opening a file costs a disk, in bytes that it could have read meanwhile. */
const OPEN_BYTES = 16 * 1024;
const LEAST_BYTES_PER_SECOND = 256 * 1024;
/** Rounds in which nothing is due begin so many times in a period at most. */
const ROUNDS = 20;
/** Anything else is somebody else's failing, and says nothing about the file. */
const WRONG: ReadonlySet<ErrorCode> = new Set(['SEGMENT_UNKNOWN', 'SEGMENT_DAMAGED']);

/**
 * Reads every copy again within a period and compares it with its checksum, so that a bit that turned over is found before somebody needs it.
 * A copy is due half a period after it was last read, and there is time to read all of them in the other half: after a restart the rounds go on
 * where they were, by what the inventory says. Reads no faster than that takes, at low priority.
 */
export class Scrubber implements Actor<ScrubberMessage> {
  readonly name = 'scrubber';
  readonly #deps: ScrubberDeps;
  readonly #stopping = new AbortController();
  readonly counts = { copies: 0, bytes: 0 };
  #round: Promise<void> | undefined;
  #nextRoundAt = 0;
  #comparedAt: number;

  constructor(deps: ScrubberDeps) {
    this.#deps = deps;
    this.#comparedAt = deps.clock.monotonic();
  }

  receive(): void {
    const { clock, periodMs, log } = this.#deps;
    if (periodMs === 0 || this.#round !== undefined || clock.monotonic() < this.#nextRoundAt) return;
    this.#round = this.#readDue()
      .catch((error: unknown) => {
        if (this.#stopping.signal.aborted) return;
        log.warn(
          { actor: this.name, err: TroughError.from(error) },
          'copies could not be read again; it goes on later',
        );
      })
      .finally(() => {
        this.#round = undefined;
        this.#nextRoundAt = clock.monotonic() + periodMs / ROUNDS;
      });
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#round;
  }

  /** So fast that all that is stored is read in half a period. */
  get bytesPerSecond(): number {
    const { inventory, periodMs } = this.#deps;
    const bytes = inventory.storedBytes + inventory.count * OPEN_BYTES;
    return Math.max(LEAST_BYTES_PER_SECOND, bytes / (periodMs / 2_000));
  }

  async #readDue(): Promise<void> {
    const { clock, periodMs, emit } = this.#deps;
    for await (const record of this.#records()) {
      if (!this.#isDue(record)) continue;
      const startedAt = clock.monotonic();
      await this.#read(record);
      const dueMs = ((record.sizeBytes + OPEN_BYTES) / this.bytesPerSecond) * 1_000;
      await pause(clock, Math.max(0, startedAt + dueMs - clock.monotonic()), this.#stopping.signal);
    }
    if (clock.monotonic() - this.#comparedAt < periodMs / 2) return;
    this.#comparedAt = clock.monotonic();
    emit({ kind: 'compare' });
  }

  async *#records(): AsyncIterable<CopyRecord> {
    for (let after: SegmentId | '' | undefined = ''; after !== undefined;) {
      const page: readonly CopyRecord[] = await this.#deps.inventory.recordsAfter(after);
      yield* page;
      after = page.at(-1)?.id;
      this.#stopping.signal.throwIfAborted();
    }
  }

  /** A time that is still to come is that of a clock which was wrong. */
  #isDue({ id, verifiedMs }: CopyRecord): boolean {
    const ageMs = this.#deps.clock.now() - verifiedMs;
    return (ageMs < 0 || ageMs >= this.#deps.periodMs / 2) && !this.#deps.isBusy(id);
  }

  async #read(record: CopyRecord): Promise<void> {
    const { clock, inventory, emit } = this.#deps;
    const isSound = await this.#isSound(record);
    // Once more before it is called wrong: the file may have been replaced while it was read.
    const isWrong = isSound === false && (await this.#isSound(record)) === false && !this.#deps.isBusy(record.id);
    this.#stopping.signal.throwIfAborted();
    if (!isSame(await inventory.record(record.id), record)) return;
    if (isSound === true) await inventory.add({ ...record, verifiedMs: clock.now() });
    else if (isWrong) emit({ kind: 'damaged', segment: record.id, version: record.version, foundBy: 'scrub' });
  }

  /** undefined: nobody knows. */
  async #isSound({ id, sizeBytes, sha256 }: CopyRecord): Promise<boolean | undefined> {
    const { disk, paths, log } = this.#deps;
    try {
      const digest: FileDigest = await disk.digest(paths.copy(id), this.bytesPerSecond, this.#stopping.signal);
      this.counts.copies += 1;
      this.counts.bytes += digest.sizeBytes;
      return digest.sha256 === sha256 && digest.sizeBytes === sizeBytes;
    } catch (error) {
      this.#stopping.signal.throwIfAborted();
      const known = TroughError.from(error);
      if (WRONG.has(known.code)) return false;
      log.debug({ actor: this.name, segment: id, err: known }, 'a copy could not be read again');
      return undefined;
    }
  }
}

function isSame(now: CopyRecord | undefined, before: CopyRecord): boolean {
  return now?.version === before.version && now.sha256 === before.sha256;
}
