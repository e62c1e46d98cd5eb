import { Worker } from 'node:worker_threads';
import { TroughError } from '../errors.ts';
import { type FileDigest } from './disk.ts';

export interface DigestOrder {
  readonly file: string;
  readonly bytesPerSecond: number;
  /** Its first number becomes 1 when nobody wants the digest any more. */
  readonly cancelled: Int32Array<SharedArrayBuffer>;
}

/** `failed`: the code of the system's error, or its words. */
export type DigestResult = { readonly digest: FileDigest } | { readonly failed: string };

/** A thread without work is ended after this, ms. */
const IDLE_MS = 30_000;

/**
 * Hashes files in a thread of the lowest priority, one after another: its reads and its hashing give way to everything else. The thread lives
 * while there is something to hash, and keeps no process running.
 */
export class DigestThread {
  #worker: Worker | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #idle: NodeJS.Timeout | undefined;

  async digest(file: string, bytesPerSecond: number, signal?: AbortSignal): Promise<FileDigest> {
    const before = this.#last;
    const result = before.then(() => this.#run(file, bytesPerSecond, signal));
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #run(file: string, bytesPerSecond: number, signal: AbortSignal | undefined): Promise<FileDigest> {
    signal?.throwIfAborted();
    const cancelled = new Int32Array(new SharedArrayBuffer(4));
    const cancel = (): void => {
      Atomics.store(cancelled, 0, 1);
      Atomics.notify(cancelled, 0);
    };
    signal?.addEventListener('abort', cancel);
    try {
      const result = await this.#ask({ file, bytesPerSecond, cancelled });
      signal?.throwIfAborted();
      if ('digest' in result) return result.digest;
      throw Object.assign(new Error(`${file}: ${result.failed}`), { code: result.failed });
    } finally {
      signal?.removeEventListener('abort', cancel);
    }
  }

  async #ask(order: DigestOrder): Promise<DigestResult> {
    clearTimeout(this.#idle);
    const worker = (this.#worker ??= this.#start());
    worker.ref();
    const result = Promise.withResolvers<DigestResult>();
    const ended = (error: unknown): void => {
      result.reject(new TroughError('INTERNAL', 'the thread that reads copies again has ended', {}, error));
    };
    worker.on('message', result.resolve).on('error', ended).on('exit', ended);
    try {
      worker.postMessage(order);
      return await result.promise;
    } catch (error) {
      this.#worker = undefined;
      throw error;
    } finally {
      worker.off('message', result.resolve).off('error', ended).off('exit', ended);
      worker.unref();
      this.#idle = setTimeout(() => {
        void this.#worker?.terminate();
        this.#worker = undefined;
      }, IDLE_MS).unref();
    }
  }

  #start(): Worker {
    const entry = import.meta.url.endsWith('.ts') ? './digest-worker.ts' : './digest-worker.js';
    return new Worker(new URL(entry, import.meta.url));
  }
}
