import { TroughError } from '../../errors.ts';
import { type Clock } from '../../runtime/clock.ts';
import { type JournalApi, type StreamInfo } from './journal-api.ts';

/** What others append is learned so often, and at once before somebody is refused. */
const FRESH_MS = 1_000;
const REFUSAL_FRESH_MS = 50;

/** How full one stream is: asked now and then, and reckoned with what was appended from here meanwhile. */
export class StreamGauge {
  readonly #api: JournalApi;
  readonly #stream: string;
  readonly #share: number;
  readonly #clock: Clock;
  #bytes = 0;
  #limitBytes = Infinity;
  #askedAt = -Infinity;
  #asking: Promise<void> | undefined;
  /** Reckoned since the present question left. */
  #sinceAsked = 0;

  constructor(api: JournalApi, stream: string, ordinaryShare: number, clock: Clock) {
    this.#api = api;
    this.#stream = stream;
    this.#share = ordinaryShare;
    this.#clock = clock;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get ordinaryLimitBytes(): number {
    return Math.floor(this.#limitBytes * this.#share);
  }

  /** Counts what was appended from here. */
  add(sizeBytes: number): void {
    this.#bytes += sizeBytes;
    this.#sinceAsked += sizeBytes;
  }

  /** Whether so many bytes more of ordinary records fit. Waits for an answer only when it seems that they do not. */
  async hasRoom(sizeBytes: number): Promise<boolean> {
    const age = this.#clock.monotonic() - this.#askedAt;
    if (age > FRESH_MS) void this.#refresh();
    if (this.#fits(sizeBytes)) return true;
    if (age > REFUSAL_FRESH_MS) await this.#refresh();
    return this.#fits(sizeBytes);
  }

  /** What is known is out of date: something was purged. */
  expire(): void {
    this.#askedAt = -Infinity;
  }

  /** What cannot be learned now stays as it was. */
  async #refresh(): Promise<void> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    await this.#asking;
  }

  /** Takes in what was learned otherwise. */
  learn({ state, config }: StreamInfo): void {
    this.#bytes = state.bytes;
    this.#limitBytes = config.max_bytes === undefined || config.max_bytes <= 0 ? Infinity : config.max_bytes;
    this.#askedAt = this.#clock.monotonic();
  }

  #fits(sizeBytes: number): boolean {
    return this.#bytes + sizeBytes <= this.ordinaryLimitBytes;
  }

  async #ask(): Promise<void> {
    this.#sinceAsked = 0;
    const info = await this.#api.info(this.#stream).catch((error: unknown) => TroughError.from(error));
    // A stream that is gone is told by the append itself.
    if (info instanceof TroughError || 'kind' in info) return;
    this.learn(info);
    // Some of it may be in the answer already: refused a little early rather than late.
    this.#bytes += this.#sinceAsked;
  }
}
