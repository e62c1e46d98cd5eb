import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path/posix';
import { TroughError } from '../../errors.ts';
import { type SegmentId } from '../../model/segment-id.ts';
import { ContentHash } from './content-hash.ts';
import { type ChecksumShape, USUAL_SHAPE } from './hdfs-checksum.ts';
import { type HdfsFiles, type HdfsStatus } from './hdfs-files.ts';
import { HdfsProblem } from './hdfs-problem.ts';
import { pauseOrThrow, type RetryDeps, retrying } from './retrying.ts';
import { type TemporaryNames } from './temporary-names.ts';
import { transferHash } from './transfer-hash.ts';

const PIECE_BYTES = 256 * 1024;

export interface PublisherDeps extends RetryDeps {
  readonly files: HdfsFiles;
  readonly temporary: TemporaryNames;
  /** Replicas that the file must have before it counts. */
  readonly replicas: number;
}

interface Uploaded {
  readonly path: string;
  readonly status: HdfsStatus;
}

/** Puts a local file into HDFS under a name of its own, makes sure that it is there whole, and renames it over its target. */
export class Publisher {
  readonly #deps: PublisherDeps;
  /** As the cluster checks: learned from its answers. */
  #shape = USUAL_SHAPE;

  constructor(deps: PublisherDeps) {
    this.#deps = deps;
  }

  /** COLD_COPY_TORN when `from` is not what `sha256` says; COLD_CHANGED when another took the place at the same moment. */
  async publish(
    id: SegmentId,
    from: string,
    sha256: string,
    target: string,
    signal?: AbortSignal,
    beforeReplacing?: () => Promise<void>,
  ): Promise<HdfsStatus> {
    return this.#withUpload(id, from, sha256, signal, async (uploaded) => {
      await beforeReplacing?.();
      return this.#place(uploaded, target, true, signal);
    });
  }

  /** As `publish`, with an older modification time, and only where nothing lies: else COLD_CHANGED. */
  async restore(
    id: SegmentId,
    from: string,
    { sha256, modifiedMs }: { readonly sha256: string; readonly modifiedMs: number },
    target: string,
    signal?: AbortSignal,
  ): Promise<HdfsStatus> {
    return this.#withUpload(id, from, sha256, signal, async ({ path, status }) => {
      await this.#setModified(path, modifiedMs, signal);
      return this.#place({ path, status: { ...status, modifiedMs } }, target, false, signal);
    });
  }

  async #withUpload(
    id: SegmentId,
    from: string,
    sha256: string,
    signal: AbortSignal | undefined,
    place: (uploaded: Uploaded) => Promise<HdfsStatus>,
  ): Promise<HdfsStatus> {
    const mayRepeat = ({ retry, missing }: HdfsProblem): boolean => retry !== 'no' || missing;
    const uploaded = await retrying(this.#deps, () => this.#upload(id, from, sha256, signal), signal, mayRepeat);
    let placed = false;
    try {
      const status = await place(uploaded);
      placed = true;
      return status;
    } finally {
      if (!placed) await this.#deps.temporary.discard(uploaded.path);
    }
  }

  async #upload(id: SegmentId, from: string, sha256: string, signal?: AbortSignal): Promise<Uploaded> {
    const { files, temporary, replicas } = this.#deps;
    const path = temporary.nameFor(id);
    const shape = this.#shape;
    await using file = await open(from, 'r');
    const { size } = await file.stat();
    await using hash = transferHash(shape, size, from);
    let [begun, whole] = [false, false];
    try {
      const pieces = (): AsyncIterable<Buffer> => {
        begun = true;
        return readPieces(file, size, hash);
      };
      const replication = replicas > 1 ? replicas : undefined;
      await files.create(path, { sizeBytes: size, pieces, blockSize: shape.blockSize, replication }, signal);
      const sent = await hash.digest();
      if (sent.sha256 !== sha256) throw notAsTold(from, sent.sha256, sha256);
      const status = await this.#verify(path, { from, size, hdfs: sent.hdfs, sha256 }, shape, signal);
      if (replicas > 1) await this.#awaitReplicas(path, signal);
      whole = true;
      return { path, status };
    } finally {
      if (begun && !whole) await temporary.discard(path);
    }
  }

  /** A 201 says that one data node has taken what it got, which need not be all. */
  async #verify(
    path: string,
    sent: { readonly from: string; readonly size: number; readonly hdfs: string; readonly sha256: string },
    shape: ChecksumShape,
    signal?: AbortSignal,
  ): Promise<HdfsStatus> {
    const { files } = this.#deps;
    const status = await files.status(path, signal);
    if (status?.kind !== 'file' || status.sizeBytes !== sent.size) {
      const found = status === undefined ? 'nothing' : `${String(status.sizeBytes)} bytes`;
      throw HdfsProblem.torn(`${path} has ${found} where ${String(sent.size)} bytes were sent`);
    }
    const told = await files.checksum(path, signal);
    if (told === undefined || status.isStriped) {
      const read = new ContentHash(shape);
      const take = (piece: Buffer): Promise<void> => {
        read.update(piece);
        return Promise.resolve();
      };
      await files.open(path, take, { signal });
      if (read.digest().sha256 !== sent.sha256) throw HdfsProblem.torn(`${path} does not hold what was sent`);
      return status;
    }
    const actual = { blockSize: status.blockSize, bytesPerCrc: told.bytesPerCrc, crc: told.crc };
    const expected = sameShape(actual, shape) ? sent.hdfs : await checksumOf(sent.from, actual);
    if (told.hex !== expected)
      throw HdfsProblem.torn(`${path} does not hold what was sent: its checksum is ${told.hex}`);
    this.#shape = { ...actual, blockSize: shape.blockSize };
    return status;
  }

  async #awaitReplicas(path: string, signal?: AbortSignal): Promise<void> {
    const { files, replicas, clock, times } = this.#deps;
    const deadline = clock.monotonic() + times.answerMs;
    for (;;) {
      const { replicas: found } = await files.blocks(path, signal);
      if (found >= replicas) return;
      if (clock.monotonic() > deadline) {
        const message = `${path} is on ${String(found)} data nodes after ${String(times.answerMs)} ms, not on ${String(replicas)}`;
        throw HdfsProblem.untrue(message);
      }
      await pauseOrThrow(clock, times.pauseMs, signal);
    }
  }

  /** And looks whether it is so: a time that is not the one that was lost would make another version of the file. */
  async #setModified(path: string, modifiedMs: number, signal?: AbortSignal): Promise<void> {
    const { files } = this.#deps;
    await retrying(
      this.#deps,
      async () => {
        let problem: HdfsProblem | undefined;
        try {
          await files.setModified(path, modifiedMs, signal);
        } catch (error) {
          if (!(error instanceof HdfsProblem) || !error.unknown) throw error;
          problem = error;
        }
        if ((await files.status(path, signal))?.modifiedMs === modifiedMs) return;
        throw problem ?? HdfsProblem.untrue(`${path} was not given the time ${String(modifiedMs)}`);
      },
      signal,
    );
  }

  /** Renames, and looks whether it was: an answer may be lost, or untrue. */
  async #place(
    { path, status }: Uploaded,
    target: string,
    replace: boolean,
    signal?: AbortSignal,
  ): Promise<HdfsStatus> {
    const { files } = this.#deps;
    return retrying(
      this.#deps,
      async () => {
        await files.makeDirectory(dirname(target), signal);
        let problem: HdfsProblem | undefined;
        try {
          await files.rename(path, target, replace, signal);
        } catch (error) {
          if (!(error instanceof HdfsProblem)) throw error;
          if (!replace && error.exception === 'FileAlreadyExistsException') {
            throw new TroughError(
              'COLD_CHANGED',
              `${target} is there again, and is not replaced`,
              { path: target },
              error,
            );
          }
          if (!error.unknown && !error.missing) throw error;
          problem = error;
        }
        const there = await files.status(target, signal);
        if (there !== undefined && isSame(there, status)) return there;
        const left = await files.status(path, signal);
        if (left !== undefined) throw HdfsProblem.untrue(problem?.message ?? `${path} was not renamed to ${target}`);
        throw new TroughError('COLD_CHANGED', `${target} was replaced by another writer as soon as it was there`, {
          path: target,
        });
      },
      signal,
    );
  }
}

/** The same content, wherever it lies: a rename keeps all of these. */
export function isSame(a: HdfsStatus, b: HdfsStatus): boolean {
  return a.fileId === b.fileId && a.sizeBytes === b.sizeBytes && a.modifiedMs === b.modifiedMs;
}

function sameShape(a: ChecksumShape, b: ChecksumShape): boolean {
  return a.blockSize === b.blockSize && a.bytesPerCrc === b.bytesPerCrc && a.crc === b.crc;
}

/** Of a local file. */
export async function checksumOf(path: string, shape: ChecksumShape): Promise<string> {
  await using file = await open(path, 'r');
  const { size } = await file.stat();
  const hash = new ContentHash(shape);
  const pieces = readPieces(file, size, hash)[Symbol.asyncIterator]();
  while ((await pieces.next()).done !== true);
  return hash.digest().hdfs;
}

async function* readPieces(
  file: FileHandle,
  sizeBytes: number,
  hash: Pick<ContentHash, 'update'>,
): AsyncIterable<Buffer> {
  const pieceBytes = Math.min(PIECE_BYTES, sizeBytes);
  // In turns: the one before may not be sent yet.
  let [piece, other] = [Buffer.allocUnsafe(pieceBytes), Buffer.allocUnsafe(pieceBytes)];
  for (let at = 0; at < sizeBytes;) {
    [piece, other] = [other, piece];
    const { bytesRead } = await file.read(piece, 0, Math.min(pieceBytes, sizeBytes - at), at);
    if (bytesRead === 0) throw new TroughError('COLD_FAILED', 'the file to publish was cut short while it was read');
    const bytes = piece.subarray(0, bytesRead);
    hash.update(bytes);
    yield bytes;
    at += bytesRead;
  }
}

function notAsTold(path: string, found: string, expected: string): TroughError {
  const message = `${path} does not hold what it should: its SHA-256 is ${found}, not ${expected}`;
  return new TroughError('COLD_COPY_TORN', message, { path });
}
