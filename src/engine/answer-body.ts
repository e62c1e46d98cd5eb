import { type TroughError } from '../errors.ts';

type State =
  { readonly kind: 'open' } | { readonly kind: 'ended' } | { readonly kind: 'failed'; readonly error: TroughError };

interface BodyEvents {
  /** A chunk of so many bytes was taken out. */
  readonly onTaken: (bytes: number) => void;
  /** The reader went away before the end. */
  readonly onLeft: () => void;
}

/** The body of a long answer: chunks as they come from the child, read once, failing where the child failed. */
export class AnswerBody implements AsyncIterableIterator<Uint8Array> {
  readonly #events: BodyEvents;
  readonly #chunks: Uint8Array[] = [];
  #state: State = { kind: 'open' };
  #wake: (() => void) | undefined;
  readonly #failure = new AbortController();

  constructor(events: BodyEvents) {
    this.#events = events;
  }

  /** Aborts at `fail`, with its error. */
  get failure(): AbortSignal {
    return this.#failure.signal;
  }

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#notify();
  }

  end(): void {
    if (this.#state.kind === 'open') this.#state = { kind: 'ended' };
    this.#notify();
  }

  /** What has arrived is still handed out before the error. */
  fail(error: TroughError): void {
    if (this.#state.kind === 'open') {
      this.#state = { kind: 'failed', error };
      this.#failure.abort(error);
    }
    this.#notify();
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        this.#events.onTaken(chunk.length);
        return { done: false, value: chunk };
      }
      if (this.#state.kind === 'failed') throw this.#state.error;
      if (this.#state.kind === 'ended') return { done: true, value: undefined };
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#chunks.length = 0;
    const isOpen = this.#state.kind === 'open';
    this.end();
    if (isOpen) this.#events.onLeft();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
