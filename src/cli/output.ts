import { type Writable } from 'node:stream';

/** One of the program's outputs, with its own pace: `write` resolves when more may be written, false when nobody reads any more. */
export class Output {
  readonly isTty: boolean;
  readonly #stream: Writable & { readonly columns?: number };
  #gone = false;
  #error: Error | undefined;

  constructor(stream: Writable & { readonly isTTY?: boolean; readonly columns?: number }) {
    this.#stream = stream;
    this.isTty = stream.isTTY === true;
    stream.on('error', (error: NodeJS.ErrnoException) => {
      this.#gone = true;
      if (error.code !== 'EPIPE') this.#error = error;
    });
  }

  /** Of the terminal; 80 when that is not known. */
  get columns(): number {
    return this.#stream.columns ?? 80;
  }

  async write(chunk: string | Uint8Array): Promise<boolean> {
    if (this.#gone) return this.#ended();
    await new Promise<void>((resolve) => {
      this.#stream.write(chunk, () => {
        resolve();
      });
    });
    return this.#ended();
  }

  /** False when the reader went away (`| head`); any other failure of the output, such as a full disk, is thrown by `write`. */
  #ended(): boolean {
    if (this.#error !== undefined) throw this.#error;
    return !this.#gone;
  }
}
