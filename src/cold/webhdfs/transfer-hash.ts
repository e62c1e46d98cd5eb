import { Worker } from 'node:worker_threads';
import { type ContentDigest, ContentHash } from './content-hash.ts';
import { type ChecksumShape } from './hdfs-checksum.ts';

/** From here on the hashing would hold up the transfer, and the process with it, for longer than a thread takes to start. */
const LARGE_BYTES = 16 * 1024 * 1024;
/** Waking a thread costs more than it hashes of a small piece meanwhile. */
const TELL_EVERY_BYTES = 8 * 1024 * 1024;

/** Hashes what is transferred. `update` after the piece was read from the local file, or written to it. */
export interface TransferHash extends AsyncDisposable {
  update(piece: Uint8Array): void;
  digest(): Promise<ContentDigest>;
}

/** `file` is the local end of the transfer; without one everything is hashed as it passes. `sizeBytes` undefined: nobody knows yet. */
export function transferHash(
  shape: ChecksumShape | undefined,
  sizeBytes: number | undefined,
  file: string | undefined,
): TransferHash {
  if (file === undefined) return new PassingHash(shape);
  if (sizeBytes === undefined) return new GrowingHash(shape, file);
  return sizeBytes < LARGE_BYTES ? new PassingHash(shape) : new FileHash(shape, file);
}

/** Hashes what passes until it turns out to be large: then another thread begins anew. */
class GrowingHash implements TransferHash {
  readonly #shape: ChecksumShape | undefined;
  readonly #file: string;
  #hash: TransferHash;
  #bytes = 0;

  constructor(shape: ChecksumShape | undefined, file: string) {
    this.#shape = shape;
    this.#file = file;
    this.#hash = new PassingHash(shape);
  }

  update(piece: Uint8Array): void {
    this.#hash.update(piece);
    const before = this.#bytes;
    this.#bytes += piece.length;
    if (before < LARGE_BYTES && this.#bytes >= LARGE_BYTES)
      this.#hash = new FileHash(this.#shape, this.#file, this.#bytes);
  }

  digest(): Promise<ContentDigest> {
    return this.#hash.digest();
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#hash[Symbol.asyncDispose]();
  }
}

class PassingHash implements TransferHash {
  readonly #hash: ContentHash;

  constructor(shape: ChecksumShape | undefined) {
    this.#hash = new ContentHash(shape);
  }

  update(piece: Uint8Array): void {
    this.#hash.update(piece);
  }

  digest(): Promise<ContentDigest> {
    return Promise.resolve(this.#hash.digest());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

/** Another thread reads the file again, close behind: what it finds is what counts, on both ways. */
class FileHash implements TransferHash {
  readonly #worker: Worker;
  readonly #result: Promise<ContentDigest>;
  #bytes: number;
  #told = 0;

  /** `bytes` are there already. */
  constructor(shape: ChecksumShape | undefined, path: string, bytes = 0) {
    this.#bytes = bytes;
    const entry = import.meta.url.endsWith('.ts') ? './hash-worker.ts' : './hash-worker.js';
    this.#worker = new Worker(new URL(entry, import.meta.url), { workerData: { path, shape } });
    this.#result = new Promise((resolve, reject) => {
      this.#worker.once('message', resolve);
      this.#worker.once('error', reject);
    });
    // Looked at when the transfer has ended; one that failed before that has its own reason.
    this.#result.catch(() => undefined);
  }

  update(piece: Uint8Array): void {
    this.#bytes += piece.length;
    if (this.#bytes - this.#told < TELL_EVERY_BYTES) return;
    this.#tell(false);
  }

  digest(): Promise<ContentDigest> {
    this.#tell(true);
    return this.#result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }

  #tell(isEnd: boolean): void {
    this.#told = this.#bytes;
    this.#worker.postMessage({ upTo: this.#bytes, isEnd });
  }
}
