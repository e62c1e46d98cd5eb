/** What became of one write, as its client knows. */
export type WriteFate = 'asked' | 'kept' | 'refused' | 'unknown';

interface Write {
  fate: WriteFate;
  /** When its client was told, ms of the run. */
  toldAt: number;
  readonly askedAt: number;
  /** A shred was asked for after it, or at the same time: it may be gone. */
  isVoid: boolean;
}

/** What the clients of the cluster know of one segment: all that may be asked of an answer. */
export class SegmentTruth {
  readonly id: string;
  readonly writes = new Map<string, Write>();
  #shreds = 0;
  #shredsUntil = -Infinity;
  #isShredded = false;

  constructor(id: string) {
    this.id = id;
  }

  /** Until when a shred may have been carried out, ms of the run; Infinity while one is under way. */
  get shredsUntil(): number {
    return this.#shreds > 0 ? Infinity : this.#shredsUntil;
  }

  /** The last that anybody asked for was a shred, and it was done. */
  get isShredded(): boolean {
    return this.#isShredded && this.#shreds === 0;
  }

  provisionBegins(): void {
    this.#isShredded = false;
  }

  shredBegins(): void {
    this.#shreds += 1;
    this.#isShredded = false;
    this.#voidAll();
  }

  /** `until`: later than now when nobody knows whether it was carried out, or will be. */
  shredEnds(until: number, isDone: boolean): void {
    this.#shreds -= 1;
    this.#isShredded = isDone;
    this.#shredsUntil = Math.max(this.#shredsUntil, until);
    this.#voidAll();
  }

  ask(token: string, now: number): void {
    this.writes.set(token, { fate: 'asked', toldAt: Infinity, askedAt: now, isVoid: now < this.shredsUntil });
  }

  tell(token: string, fate: WriteFate, now: number): void {
    const write = this.writes.get(token);
    if (write === undefined) return;
    write.fate = fate;
    write.toldAt = now;
    if (now < this.shredsUntil) write.isVoid = true;
  }

  /** The writes that an answer must show which was asked for at `askedAt`. */
  mustShow(askedAt: number): string[] {
    return this.#tokens(({ fate, toldAt, isVoid }) => fate === 'kept' && !isVoid && toldAt < askedAt);
  }

  /** The writes that no answer may ever show. */
  mustNotShow(): string[] {
    return this.#tokens(({ fate }) => fate === 'refused');
  }

  #voidAll(): void {
    for (const write of this.writes.values()) write.isVoid = true;
  }

  #tokens(fits: (write: Write) => boolean): string[] {
    return Array.from(this.writes)
      .filter(([, write]) => fits(write))
      .map(([token]) => token);
  }
}

export function tokensOf(content: string): ReadonlySet<string> {
  return new Set(content.split('\n').filter((line) => /^w\d+$/.test(line)));
}
