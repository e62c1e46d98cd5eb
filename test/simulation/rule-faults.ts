import { type Control } from '../../src/messages/control.ts';
import { type ErrorCode, TroughError } from '../../src/errors.ts';
import { ruleOf } from './documents.ts';
import { type FaultKind } from './fault-kinds.ts';
import { type Random } from './random.ts';
import { isSameWish, NO_WISH, type Wish } from './rule-truth.ts';
import { type SimNode } from './sim-node.ts';
import { type Truths } from './truths.ts';
import { type Workload } from './workload.ts';
import { type World } from './world.ts';

export interface RuleFaultsDeps {
  readonly world: World;
  readonly truths: Truths;
  readonly workload: Workload;
  readonly control: Control;
  readonly random: Random;
  /** After so many ms, or when the faults end. */
  readonly undoneAfter: (ms: number, undo: () => void) => true;
}

const AGAIN_MS = 2_000;
/** Asking again does not help. */
const FOR_GOOD: ReadonlySet<ErrorCode> = new Set(['REQUEST_INVALID', 'SEGMENT_UNKNOWN', 'SEGMENT_LEASED']);

/** What operators ask for single segments, and those who read one of them very much. */
export class RuleFaults {
  readonly #deps: RuleFaultsDeps;
  /** Segments that somebody looks after until what is wanted is there. */
  readonly #kept = new Set<string>();
  #isStorming = false;

  constructor(deps: RuleFaultsDeps) {
    this.#deps = deps;
  }

  get kinds() {
    return {
      'rule of a segment': () => this.#rule(),
      'read storm': () => this.#storm(),
    } satisfies Partial<Record<FaultKind, (node: SimNode) => boolean>>;
  }

  /** Set, mostly changed or removed after a while, and else kept to the end. */
  #rule(): boolean {
    const { random, workload, undoneAfter } = this.#deps;
    const id = random.pick(workload.ids);
    if (id === undefined) return false;
    this.#want(id, this.#draw());
    if (random.chance(0.3)) return true;
    return undoneAfter(random.scale(1_000, 100_000), () => {
      this.#want(id, random.chance(0.3) ? this.#draw() : NO_WISH);
    });
  }

  #draw(): Wish {
    const { random, world } = this.#deps;
    if (random.chance(0.15)) return { copies: null, tier: 'cold' };
    // Now and then more than there are nodes, which is refused.
    const copies = random.integer(1, world.nodes.length + (random.chance(0.1) ? 1 : 0));
    return { copies, tier: random.chance(0.2) ? 'hot' : null };
  }

  #want(id: string, wish: Wish): void {
    this.#deps.truths.rules.want(id, wish);
    if (this.#kept.has(id)) return;
    this.#kept.add(id);
    void this.#keep(id).finally(() => this.#kept.delete(id));
  }

  /** Whoever asks looks whether that was taken in, and whether what was asked before does not come after it. */
  async #keep(id: string): Promise<void> {
    const { world, truths } = this.#deps;
    const { rules } = truths;
    for (;;) {
      const wanted = rules.wanted.get(id);
      if (wanted === undefined) return;
      const isThere = isSameWish(ruleOf(world, id) ?? NO_WISH, wanted);
      if (isThere && !rules.isOpen(id)) return;
      if (!isThere) await this.#ask(id, wanted);
      await this.#pause(AGAIN_MS);
    }
  }

  async #ask(segment: string, wish: Wish): Promise<void> {
    const { world, truths, control } = this.#deps;
    const { copies, tier } = wish;
    const answered = truths.rules.asks(segment, wish);
    const said = { ...(copies === null ? {} : { copies }), ...(tier === null ? {} : { tier }) };
    const isNone = isSameWish(wish, NO_WISH);
    try {
      await control.rule(isNone ? { op: 'remove', segment } : { op: 'set', segment, ...said });
      answered(true);
      world.runLog.say('operator', 'rule: done', { segment, ...wish });
      this.#checkDone(segment, wish);
    } catch (error) {
      const { code } = TroughError.from(error);
      const isRefused = FOR_GOOD.has(code);
      answered(isRefused);
      world.runLog.say('operator', `rule: ${code}`, { segment, ...wish });
      if (isRefused) truths.rules.giveUp(segment);
    }
  }

  /** What is acknowledged is in the store, unless something else was asked for at the same time. */
  #checkDone(segment: string, wish: Wish): void {
    const { world, truths } = this.#deps;
    const { rules } = truths;
    if (rules.isDisputed(segment) || !rules.wanted.has(segment)) return;
    if (!isSameWish(ruleOf(world, segment) ?? NO_WISH, wish))
      world.fail(`the rule of ${segment} was acknowledged and is not in the store`);
  }

  #storm(): boolean {
    const { world, random, workload, undoneAfter } = this.#deps;
    const id = random.pick([...world.cold.files.keys()]);
    if (id === undefined || this.#isStorming) return false;
    const storm = { isOver: false };
    this.#isStorming = true;
    void workload.readMuch(id, random.between(120, 400), () => storm.isOver);
    return undoneAfter(random.between(30_000, 90_000), () => {
      storm.isOver = true;
      this.#isStorming = false;
    });
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#deps.world.timeline.after(ms, resolve));
  }
}
