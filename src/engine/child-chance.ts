import { type Cipheriv, createCipheriv } from 'node:crypto';

/** One call of the cipher for all that an ordinary write draws. */
const AT_ONCE_BYTES = 512;
const NO_BYTES = Buffer.alloc(0);

/** Bytes without end from a seed of 32 hexadecimal digits: AES-128 in counter mode, so that nobody without the seed can guess any of them. */
export class SeededBytes {
  readonly #seed: string;
  #cipher: Cipheriv | undefined;
  #left: Buffer = NO_BYTES;

  constructor(seed: string) {
    this.#seed = seed;
  }

  /** The next ones; which they are does not depend on how many are taken at a time. */
  take(count: number): Buffer {
    if (count <= this.#left.length) return this.#fromLeft(count);
    const first = this.#left;
    const missing = count - first.length;
    this.#left = this.#more(Math.max(missing, AT_ONCE_BYTES));
    return Buffer.concat([first, this.#fromLeft(missing)]);
  }

  #fromLeft(count: number): Buffer {
    const taken = this.#left.subarray(0, count);
    this.#left = this.#left.subarray(count);
    return taken;
  }

  #more(count: number): Buffer {
    this.#cipher ??= createCipheriv('aes-128-ctr', Buffer.from(this.#seed, 'hex'), Buffer.alloc(16));
    return this.#cipher.update(Buffer.alloc(count));
  }
}
