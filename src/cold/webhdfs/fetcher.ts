import { open, rm } from 'node:fs/promises';
import { TroughError } from '../../errors.ts';
import { type SegmentId } from '../../model/segment-id.ts';
import { LOOK_BYTES } from '../../model/sqlite-header.ts';
import { type ReadBack } from '../cold-care.ts';
import { type Fetched, type FetchedKnown } from '../cold-store.ts';
import { besides, placeDurably } from '../file-copy.ts';
import { BatchedWriter } from './batched-writer.ts';
import { type ChecksumShape, USUAL_SHAPE } from './hdfs-checksum.ts';
import { type HdfsChecksumTold, type HdfsFiles, type HdfsStatus } from './hdfs-files.ts';
import { HdfsProblem } from './hdfs-problem.ts';
import { type Sink } from './http-client.ts';
import { checksumOf, isSame } from './publisher.ts';
import { type RetryDeps, retrying } from './retrying.ts';
import { transferHash } from './transfer-hash.ts';

export interface FetcherDeps extends RetryDeps {
  readonly files: HdfsFiles;
}

/** Is told of each piece that arrived where it was to go. */
type Taken = (piece: Uint8Array) => void;

/** Where the bytes of a file go while they are read. */
interface Target {
  /** Resolves when the next piece may come. */
  readonly write: Sink;
  readonly end: () => Promise<void>;
}

/** One file of HDFS as it was found. */
export interface Located {
  readonly path: string;
  readonly status: HdfsStatus;
}

/** Reads files of HDFS whole: what was read is compared with what the caller expects, else with what HDFS says that it holds. */
export class Fetcher {
  readonly #deps: FetcherDeps;
  /** As the file before was checked: mostly all are alike. */
  #shape = USUAL_SHAPE;

  constructor(deps: FetcherDeps) {
    this.#deps = deps;
  }

  /** `locate` is asked again for each try: COLD_MISSING comes from it. Nothing is under `to` or beside it when this fails. */
  async fetch(
    id: SegmentId,
    to: string,
    expected: { readonly sha256?: string | undefined },
    locate: () => Promise<Located>,
    signal?: AbortSignal,
  ): Promise<Fetched> {
    const temporary = besides(to);
    try {
      const fetched = await this.#retrying(
        id,
        locate,
        (found) => this.#copy(found, temporary, expected.sha256, signal),
        signal,
      );
      await placeDurably(temporary, to);
      return fetched;
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  /**
   * Of content that is known, from where it most likely lies, tried once without asking for anything else. Undefined when it did not come from there whole, for whatever reason
   * on the other side: `fetch` finds that out.
   */
  async fetchKnown(path: string, to: string, sha256: string, signal?: AbortSignal): Promise<FetchedKnown | undefined> {
    const temporary = besides(to);
    try {
      const sizeBytes = await this.#copyKnown(path, temporary, sha256, signal);
      if (sizeBytes !== undefined) await placeDurably(temporary, to);
      else await rm(temporary, { force: true });
      return sizeBytes === undefined ? undefined : { sizeBytes, sha256 };
    } catch (error) {
      await rm(temporary, { force: true });
      if (error instanceof HdfsProblem) return undefined;
      throw error;
    }
  }

  /** What is stored, by reading all of it; compared as a fetch is. `passed` may hold it up. */
  async readBack(
    id: SegmentId,
    sha256: string | undefined,
    locate: () => Promise<Located>,
    passed: (bytes: number) => Promise<void>,
    signal?: AbortSignal,
  ): Promise<ReadBack> {
    return this.#retrying(
      id,
      locate,
      async (found) => {
        let head = Buffer.alloc(0);
        const target = (taken: Taken): Target => ({
          write: (piece) => {
            taken(piece);
            if (head.length < LOOK_BYTES) head = Buffer.concat([head, piece.subarray(0, LOOK_BYTES - head.length)]);
            return passed(piece.length);
          },
          end: () => Promise.resolve(),
        });
        const { sizeBytes, sha256: found256 } = await this.#read(found, target, undefined, sha256, signal);
        return { sizeBytes, sha256: found256, head };
      },
      signal,
    );
  }

  async #retrying<T>(
    id: SegmentId,
    locate: () => Promise<Located>,
    work: (found: Located) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    let last: Located | undefined;
    try {
      return await retrying(
        this.#deps,
        async () => {
          last = await locate();
          return await work(last);
        },
        signal,
        // Whatever happens to a file that is replaced or written just now is no reason to give up.
        ({ retry, missing, status }) => retry !== 'no' || missing || status === 403,
      );
    } catch (error) {
      if (error instanceof HdfsProblem && last !== undefined) throw await this.#explain(id, last, error, signal);
      throw error;
    }
  }

  async #copy(found: Located, temporary: string, sha256: string | undefined, signal?: AbortSignal): Promise<Fetched> {
    await using file = await open(temporary, 'w');
    const target = (taken: Taken): Target => new BatchedWriter(file, taken);
    const read = await this.#read(found, target, temporary, sha256, signal);
    await file.sync();
    return { sizeBytes: read.sizeBytes, sha256: read.sha256, modifiedMs: found.status.modifiedMs };
  }

  /** Its length; undefined when it is another content. */
  async #copyKnown(path: string, temporary: string, sha256: string, signal?: AbortSignal): Promise<number | undefined> {
    await using file = await open(temporary, 'w');
    await using hash = transferHash(undefined, undefined, temporary);
    const writer = new BatchedWriter(file, (piece) => {
      hash.update(piece);
    });
    await this.#deps.files.open(path, writer.write, { signal });
    await writer.end();
    const read = await hash.digest();
    if (read.sha256 !== sha256) return undefined;
    await file.sync();
    return read.sizeBytes;
  }

  /** `copy` names the file that the target fills, to compute another checksum of it. */
  async #read(
    { path, status }: Located,
    target: (taken: Taken) => Target,
    copy: string | undefined,
    sha256: string | undefined,
    signal?: AbortSignal,
  ): Promise<{ readonly sizeBytes: number; readonly sha256: string }> {
    const { files } = this.#deps;
    const shape = { ...this.#shape, blockSize: status.blockSize };
    // Whoever knows the SHA-256 needs no other word for it, unless it is not the one: then there is the copy.
    const isKnown = sha256 !== undefined && copy !== undefined;
    await using hash = transferHash(isKnown ? undefined : shape, status.sizeBytes, copy);
    const { write, end } = target((piece) => {
      hash.update(piece);
    });
    const receiving = files.open(path, write, { signal });
    const asking = sha256 === undefined ? files.checksum(path, signal) : undefined;
    const [, told] = await both(receiving, asking);
    await end();
    const read = await hash.digest();
    if (sha256 !== undefined && read.sha256 === sha256) return read;
    if (read.sizeBytes !== status.sizeBytes) {
      throw HdfsProblem.torn(
        `${path} has ${String(status.sizeBytes)} bytes, of which ${String(read.sizeBytes)} arrived`,
      );
    }
    const holds = sha256 === undefined ? told : await files.checksum(path, signal);
    const isAsStored = holds === undefined || holds.hex === (await this.#checksumAs(holds, shape, read.hdfs, copy));
    if (!isAsStored && (await this.#isComparable(path, status, signal))) {
      throw HdfsProblem.torn(`${path} did not arrive as it is stored: its checksum is ${holds.hex}`);
    }
    // It arrived as it is stored, and that is not what was asked for: no other try changes it.
    if (sha256 !== undefined) throw notAsExpected(path, read.sha256, sha256);
    return read;
  }

  /** False for files whose checksum is of another kind: of those the length is all that can be compared. */
  async #isComparable(path: string, { isStriped, blockSize }: HdfsStatus, signal?: AbortSignal): Promise<boolean> {
    if (isStriped) return false;
    const { sizes } = await this.#deps.files.blocks(path, signal);
    return sizes.slice(0, -1).every((size) => size === blockSize);
  }

  /** The checksum of what was read, computed as the file's writer did. */
  async #checksumAs(
    { bytesPerCrc, crc }: NonNullable<HdfsChecksumTold>,
    shape: ChecksumShape,
    computed: string,
    copy: string | undefined,
  ): Promise<string> {
    if (computed !== '' && bytesPerCrc === shape.bytesPerCrc && crc === shape.crc) return computed;
    this.#shape = { ...shape, bytesPerCrc, crc };
    if (copy !== undefined) return checksumOf(copy, this.#shape);
    throw HdfsProblem.untrue(
      `it is checked by ${crc} of ${String(bytesPerCrc)} bytes, and has to be read again for that`,
    );
  }

  /** What the last try's problem means for who asked. */
  async #explain(id: SegmentId, { path, status }: Located, problem: HdfsProblem, signal?: AbortSignal): Promise<Error> {
    const { files } = this.#deps;
    if (problem.retry === 'elsewhere') return problem;
    const now = await files.status(path, signal);
    if (now === undefined) {
      return new TroughError('COLD_MISSING', `${id} is not in cold storage any more`, { segment: id, path }, problem);
    }
    if (!isSame(now, status)) {
      return new TroughError('COLD_CHANGED', `${path} was replaced while it was read`, { segment: id, path }, problem);
    }
    if ((await files.blocks(path, signal)).isOpen) {
      return new TroughError('COLD_CHANGED', `${path} is being written by somebody`, { segment: id, path }, problem);
    }
    return problem;
  }
}

/** Both, or the problem of the first; neither is left running unseen. */
async function both<A, B>(a: Promise<A>, b: Promise<B> | undefined): Promise<[A, B | undefined]> {
  const [first, second] = await Promise.allSettled([a, b]);
  if (first.status === 'rejected') throw first.reason;
  if (second.status === 'rejected') throw second.reason;
  return [first.value, second.value];
}

function notAsExpected(path: string, found: string, expected: string): TroughError {
  const message = `${path} does not hold what it should: its SHA-256 is ${found}, not ${expected}`;
  return new TroughError('COLD_COPY_TORN', message, { path });
}
