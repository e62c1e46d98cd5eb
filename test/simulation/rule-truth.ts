import { type RuleDocument } from '../../src/messages/documents.ts';

/** What an operator can ask for one segment; null: as the settings say. */
export type Wish = Pick<RuleDocument, 'copies' | 'tier'>;

export const NO_WISH: Wish = { copies: null, tier: null };
/** A request is carried out sooner than that, or not at all. */
const SURELY_MS = 60_000;

interface Asked {
  readonly wish: Wish;
  /** Until when it may be carried out, or a second time, ms of the run; Infinity while nobody has answered. */
  until: number;
  isDone: boolean;
}

/** What operators asked for single segments, and what was answered. */
export class RuleTruth {
  readonly #now: () => number;
  readonly #asked = new Map<string, Asked[]>();
  readonly #wanted = new Map<string, Wish>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** What is to be in the end, by segment. */
  get wanted(): ReadonlyMap<string, Wish> {
    return this.#wanted;
  }

  want(id: string, wish: Wish): void {
    this.#wanted.set(id, wish);
  }

  /** It was refused for good, or went with its segment: nothing is wanted any more, whatever is there. */
  giveUp(id: string): void {
    this.#wanted.delete(id);
  }

  /** Returns what is to be called when it is answered; `isDone`: one way or the other, for sure. */
  asks(id: string, wish: Wish): (isDone: boolean) => void {
    const asked: Asked = { wish, until: Infinity, isDone: false };
    const all = (this.#asked.get(id) ?? []).filter(({ until }) => until >= this.#now());
    this.#asked.set(id, [...all, asked]);
    return (isDone) => {
      asked.isDone = isDone;
      asked.until = this.#now() + SURELY_MS;
    };
  }

  /** Whether somebody asked for just that, and it may be carried out now. */
  isAsked(id: string, wish: Wish): boolean {
    return (this.#asked.get(id) ?? []).some((one) => one.until >= this.#now() && isSameWish(one.wish, wish));
  }

  /** Whether anything that was asked may still be carried out. */
  isOpen(id: string): boolean {
    return this.#open(id).length > 0;
  }

  /** Whether that is so of something else than the last that was done. */
  isDisputed(id: string): boolean {
    return this.#open(id).some(({ isDone }, at, all) => !isDone || at < all.length - 1);
  }

  #open(id: string): readonly Asked[] {
    return (this.#asked.get(id) ?? []).filter(({ until }) => until >= this.#now());
  }
}

export function isSameWish(one: Wish, other: Wish): boolean {
  return one.copies === other.copies && one.tier === other.tier;
}
