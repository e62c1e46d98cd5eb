import { decodeDocument, RuleDocument } from '../../src/messages/documents.ts';
import { parseSegmentId } from '../../src/model/segment-id.ts';
import { type Catalogues } from './catalogues.ts';
import { leaseOf } from './documents.ts';
import { isSameWish, NO_WISH } from './rule-truth.ts';
import { type StoredChange } from './sim-metadata.ts';
import { type Truths } from './truths.ts';
import { type World } from './world.ts';

interface Ruled {
  /** Absent: there is none from then on. */
  readonly document: RuleDocument | undefined;
  readonly at: number;
}

/** What the leader has known for so long was in the manifest of a node that it names. */
const KNOWN_MS = 15_000;
/** A copy that was destroyed so short a time ago may have been there when it was seen. */
const LOST_MS = 20_000;

/** Looks at each rule of one segment as it is written, and remembers them all. */
export class RuleChecks {
  /** Changes so far, of all segments. */
  count = 0;
  readonly #world: World;
  readonly #truths: Truths;
  readonly #catalogues: Catalogues;
  readonly #history = new Map<string, Ruled[]>();

  constructor(world: World, truths: Truths, catalogues: Catalogues) {
    this.#world = world;
    this.#truths = truths;
    this.#catalogues = catalogues;
  }

  /** All rules that the segment had, in their order. */
  historyOf(id: string): readonly Ruled[] {
    return this.#history.get(id) ?? [];
  }

  /** The leader that wrote it, when it was not an operator's word alone. */
  changed({ key, value, previous, by }: StoredChange): { readonly term: number } | undefined {
    const next = decodeDocument(RuleDocument, key, value);
    const before = previous === undefined ? undefined : decodeDocument(RuleDocument, key, previous.value);
    const { segment, copies, tier, hot, extra, term } = next;
    this.#world.runLog.say('store', 'rule', { by, segment, copies, tier, hot: hot?.copies, extra, term });
    this.#note(segment, next);
    if (!isSameWish(next, before ?? NO_WISH) && !this.#truths.rules.isAsked(segment, { copies, tier }))
      this.#world.fail(`${by} wrote a rule of ${segment} that nobody asked for: ${describe(next)}`);
    if (before !== undefined && term < before.term)
      this.#world.fail(`the term of the rule of ${segment} went back to ${String(term)} (${by})`);
    const isOfLeader = term !== (before?.term ?? 0) || !isSameOfLeader(next, before);
    if (!isOfLeader) return undefined;
    this.#checkServing(next, before, by);
    return next;
  }

  removed({ key, value }: { readonly key: string; readonly value: Uint8Array }, by: string): void {
    const document = decodeDocument(RuleDocument, key, value);
    const { segment } = document;
    this.#world.runLog.say('store', 'rule goes', { by, segment });
    this.#note(segment, undefined);
    if (leaseOf(this.#world, segment)?.state === 'shredded') this.#truths.rules.giveUp(segment);
    else if (!isSameWish(document, NO_WISH) || document.hot !== null)
      this.#world.fail(`${by} took away the rule of ${segment}, which said ${describe(document)}`);
  }

  /** A node that reads are sent to from now on has the copy. */
  #checkServing({ segment, extra }: RuleDocument, before: RuleDocument | undefined, by: string): void {
    const served = new Set(before?.extra.filter(({ serving }) => serving).map(({ node }) => node));
    const rows = this.#catalogues.knownSince(by, this.#world.now - KNOWN_MS);
    const known = rows.find(({ id }) => id === segment);
    if (known === undefined || leaseOf(this.#world, segment)?.state === 'shredded') return;
    for (const { node, serving } of extra) {
      const parts = this.#world.node(node)?.context?.parts;
      if (!serving || served.has(node) || parts === undefined || !this.#world.isWell(node)) continue;
      const had = parts.inventory?.held(parseSegmentId(segment))?.version ?? 0;
      if (had >= known.version || this.#truths.lostAt(node, segment) > this.#world.now - LOST_MS) continue;
      this.#world.fail(`${node} serves ${segment} by its rule, and has version ${String(had)}`);
    }
  }

  #note(id: string, document: RuleDocument | undefined): void {
    this.count += 1;
    const all = this.#history.get(id) ?? [];
    all.push({ document, at: this.#world.now });
    this.#history.set(id, all);
  }
}

function isSameOfLeader(next: RuleDocument, before: RuleDocument | undefined): boolean {
  const { hot = null, extra = [] } = before ?? {};
  return JSON.stringify([next.hot, next.extra]) === JSON.stringify([hot, extra]);
}

function describe({ copies, tier }: RuleDocument): string {
  return `copies ${String(copies)}, tier ${String(tier)}`;
}
