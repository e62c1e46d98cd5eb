import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { TextDecoder } from 'node:util';
import { createGunzip } from 'node:zlib';
import { TroughError } from '../../errors.ts';

const HEAD_BYTES = 1_000_000;

/** What a file is, to know it again: a changed one cannot be resumed. */
export interface SourceIdentity {
  readonly sizeBytes: number;
  readonly modifiedMs: number;
  /** Of its first MB. */
  readonly headSha256: string;
}

export async function identifyFile(path: string): Promise<SourceIdentity> {
  try {
    await using file = await open(path);
    const { size, mtimeMs } = await file.stat();
    const head = Buffer.alloc(Math.min(size, HEAD_BYTES));
    const { bytesRead } = await file.read(head, 0, head.length, 0);
    const headSha256 = createHash('sha256').update(head.subarray(0, bytesRead)).digest('hex');
    return { sizeBytes: size, modifiedMs: Math.floor(mtimeMs), headSha256 };
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** The text of a file or stream, which may be gzip. Counts the bytes as they are stored. */
export class Source {
  readonly name: string;
  readonly #open: () => AsyncIterable<Uint8Array>;
  #bytesRead = 0;

  constructor(name: string, open: () => AsyncIterable<Uint8Array>) {
    this.name = name;
    this.#open = open;
  }

  static file(path: string): Source {
    return new Source(path, () => createReadStream(path, { highWaterMark: 256 * 1_024 }));
  }

  get bytesRead(): number {
    return this.#bytesRead;
  }

  /** In pieces of any length. IMPORT_FAILED: not readable, damaged gzip, not UTF-8. */
  async *text(): AsyncGenerator<string, void, undefined> {
    const decoder = new TextDecoder('utf-8', { fatal: true });
    let decoded = 0;
    for await (const chunk of this.#unpacked()) {
      yield this.#decode(decoder, chunk, decoded);
      decoded += chunk.length;
    }
    yield this.#decode(decoder, undefined, decoded);
  }

  #decode(decoder: TextDecoder, chunk: Uint8Array | undefined, at: number): string {
    try {
      return decoder.decode(chunk, { stream: chunk !== undefined });
    } catch (error) {
      const hint = 'convert it first, for example with iconv -f latin1 -t utf-8';
      throw new TroughError('IMPORT_FAILED', `${this.name} is not UTF-8 (near byte ${String(at)}); ${hint}`, {}, error);
    }
  }

  async *#unpacked(): AsyncGenerator<Uint8Array, void, undefined> {
    const bytes = this.#counted()[Symbol.asyncIterator]();
    try {
      const head = await readHead(bytes);
      const rest = chain(head, bytes);
      const isGzip = head[0] === 0x1f && head[1] === 0x8b;
      if (!isGzip) yield* rest;
      else yield* gunzip(rest);
    } catch (error) {
      throw unreadable(this.name, error);
    } finally {
      await bytes.return(undefined);
    }
  }

  async *#counted(): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of this.#open()) {
      this.#bytesRead += chunk.length;
      yield chunk;
    }
  }
}

async function readHead(bytes: AsyncIterator<Uint8Array, void>): Promise<Buffer> {
  let head: Buffer = Buffer.alloc(0);
  while (head.length < 2) {
    const next = await bytes.next();
    if (next.done === true) break;
    head = Buffer.concat([head, next.value]);
  }
  return head;
}

async function* chain(
  head: Uint8Array,
  rest: AsyncIterator<Uint8Array, void>,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (head.length > 0) yield head;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}

async function* gunzip(packed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const unpacker = createGunzip();
  const input = Readable.from(packed, { objectMode: false });
  input.once('error', (error) => unpacker.destroy(error));
  try {
    for await (const chunk of input.pipe(unpacker)) yield chunk as Uint8Array;
  } finally {
    input.destroy();
    unpacker.destroy();
  }
}

function unreadable(name: string, error: unknown): TroughError {
  if (error instanceof TroughError) return error;
  const code = (error as NodeJS.ErrnoException).code;
  const reason = code === 'ENOENT' ? 'there is no such file' : TroughError.from(error).message;
  return new TroughError('IMPORT_FAILED', `${name} cannot be read: ${reason}`, {}, error);
}
