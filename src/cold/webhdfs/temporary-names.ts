import { randomUUID } from 'node:crypto';
import { type Log } from '../../log.ts';
import { TroughError } from '../../errors.ts';
import { type SegmentId } from '../../model/segment-id.ts';
import { type Leftover } from '../cold-care.ts';
import { isUploadOf } from '../upload-names.ts';
import { type HdfsFiles } from './hdfs-files.ts';
import { HdfsProblem } from './hdfs-problem.ts';
import { pauseOrThrow, type RetryDeps } from './retrying.ts';

const DIRECTORY = '.trough-tmp';
const LEFT_OVER_AFTER_MS = 24 * 60 * 60 * 1000;
const SWEEP_EVERY_MS = 60 * 60 * 1000;
/** A data node that was left alone in an upload may make the file a little later. */
const DISCARD_PAUSES_MS = [0, 50, 200, 500];
const DISCARD_MS = 10_000;

interface Deps extends Pick<RetryDeps, 'clock'> {
  readonly files: HdfsFiles;
  readonly root: string;
  /** By the name node's clock. */
  readonly nowMs: () => number;
  readonly log: Log;
}

/**
 * Half-made files, in a hidden directory beside the listed tree: each attempt has a name of its own, since an upload that was broken off may go on somewhere.
 * The directory is also the sign by which a storage that was there before is known again.
 */
export class TemporaryNames {
  readonly directory: string;
  readonly #deps: Deps;
  #prepared = false;
  #sweptAt = -Infinity;

  constructor(deps: Deps) {
    this.#deps = deps;
    this.directory = `${deps.root}/${DIRECTORY}`;
  }

  /** The first time makes root and directory where they are not; later their absence is COLD_FAILED. Nothing is written when all is there, so it works in safe mode. */
  async prepare(signal?: AbortSignal): Promise<void> {
    const { files, root } = this.#deps;
    const there = await files.status(this.directory, signal);
    if (there === undefined && this.#prepared) {
      const message = `${this.directory} is gone: ${root} looks like another storage (if it is the right one, make that directory again)`;
      throw new TroughError('COLD_FAILED', message, { path: root });
    }
    if (there === undefined) await files.makeDirectory(this.directory, signal);
    this.#prepared = true;
    await this.#sweepNowAndThen(signal);
  }

  /** A name that nobody else has, beginning with the segment's id. */
  nameFor(id: SegmentId | 'probe'): string {
    return `${this.directory}/${id}.${randomUUID()}.part`;
  }

  /** Removes what an attempt that failed may have left. What cannot be removed now is swept up later. */
  async discard(path: string): Promise<void> {
    const { files, clock, log } = this.#deps;
    const signal = AbortSignal.timeout(DISCARD_MS);
    try {
      for (const pauseMs of DISCARD_PAUSES_MS) {
        if (pauseMs > 0) await pauseOrThrow(clock, pauseMs, signal);
        if (await files.remove(path, signal)) return;
      }
    } catch (error) {
      log.warn({ path, err: TroughError.from(error, 'COLD_FAILED') }, 'a temporary file stays in cold storage for now');
    }
  }

  /** Everybody's of this segment. */
  async uploadsOf(id: SegmentId, signal?: AbortSignal): Promise<readonly string[]> {
    const found: string[] = [];
    for await (const page of this.#deps.files.list(this.directory, signal)) {
      for (const { name } of page) if (isUploadOf(id, name)) found.push(`${this.directory}/${name}`);
    }
    return found;
  }

  /** Those that are older than a day. */
  async leftovers(signal?: AbortSignal): Promise<readonly Leftover[]> {
    const { files, nowMs } = this.#deps;
    const found: Leftover[] = [];
    for await (const page of files.list(this.directory, signal)) {
      for (const { name, kind, sizeBytes, modifiedMs } of page) {
        if (kind !== 'file' || modifiedMs >= nowMs() - LEFT_OVER_AFTER_MS) continue;
        found.push({ path: `${this.directory}/${name}`, sizeBytes, modifiedMs });
      }
    }
    return found;
  }

  async #sweepNowAndThen(signal?: AbortSignal): Promise<void> {
    const { files, clock, log } = this.#deps;
    if (clock.monotonic() - this.#sweptAt < SWEEP_EVERY_MS) return;
    this.#sweptAt = clock.monotonic();
    try {
      for (const { path } of await this.leftovers(signal)) await files.remove(path, signal);
    } catch (error) {
      // Reading goes on where nothing can be removed, in safe mode for example.
      if (!(error instanceof HdfsProblem)) throw error;
      this.#sweptAt = -Infinity;
      log.warn(
        { path: this.directory, err: TroughError.from(error, 'COLD_FAILED') },
        'leftovers in cold storage could not be swept up',
      );
    }
  }
}
