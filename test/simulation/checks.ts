import { decodeDocument, LeaderDocument, LeaseDocument } from '../../src/messages/documents.ts';
import { keys, RULES_PREFIX } from '../../src/messages/keys.ts';
import { decodePlacement } from '../../src/model/placement-document.ts';
import { Catalogues } from './catalogues.ts';
import { CopyChecks } from './copy-checks.ts';
import { PlacementChecks } from './placement-checks.ts';
import { RuleChecks } from './rule-checks.ts';
import { type StoredChange } from './sim-metadata.ts';
import { type Truths } from './truths.ts';
import { ViewChecks } from './view-checks.ts';
import { type World } from './world.ts';

/** A new leader and an old one may both have a write on its way for so long, ms. */
const HANDOVER_MS = 12_000;
/** Who has been well for so long is lost to nobody. */
const LONG_WELL_MS = 30_000;

/** Looks at everything that happens while it happens; what must never be is told to the world. */
export class Checks {
  readonly copies: CopyChecks;
  readonly placements: PlacementChecks;
  readonly catalogues: Catalogues;
  readonly rules: RuleChecks;
  readonly views: ViewChecks;
  readonly #world: World;
  /** Who wrote in which term. */
  readonly #terms = new Map<number, string>();
  /** Who granted each lease last. */
  readonly #granters = new Map<string, string>();
  readonly #versions = new Map<string, string>();
  #leader: { term: number; by: string; since: number } | undefined;

  constructor(world: World, truths: Truths) {
    this.#world = world;
    const catalogues = (this.catalogues = new Catalogues(world));
    this.rules = new RuleChecks(world, truths, catalogues);
    this.placements = new PlacementChecks(world, truths, catalogues, this.rules);
    this.copies = new CopyChecks(world, truths, this.placements);
    world.metadata.onChange = (change) => {
      this.#changed(change);
    };
    world.metadata.onRemove = (removed, by) => {
      const { key } = removed;
      if (key.startsWith('lease.')) world.fail(`${key} was deleted: nobody knows its epochs any more`);
      if (key.startsWith(RULES_PREFIX)) this.rules.removed(removed, by);
    };
    this.views = new ViewChecks(world);
  }

  #changed(change: StoredChange): void {
    const { key, value, previous, by } = change;
    if (key === keys.leader) this.#leads(decodeDocument(LeaderDocument, key, value), by);
    else if (key === keys.placement) this.#placed(change);
    else if (key.startsWith(RULES_PREFIX)) {
      const written = this.rules.changed(change);
      if (written !== undefined) this.#led(written.term, by, 'rule of one segment');
    } else if (key.startsWith('lease.')) {
      const before = previous === undefined ? undefined : decodeDocument(LeaseDocument, key, previous.value);
      this.#leased(decodeDocument(LeaseDocument, key, value), before, by);
    }
  }

  #leads({ term, held, session }: LeaderDocument, by: string): void {
    this.#world.runLog.say('store', 'leader', { term, held, session });
    const before = this.#leader;
    if (before !== undefined && term < before.term) this.#world.fail(`the term went back to ${String(term)} (${by})`);
    if (held) this.#writesIn(term, by);
    if (before?.term !== term) this.#leader = { term, by, since: this.#world.now };
  }

  #writesIn(term: number, by: string): void {
    const first = this.#terms.get(term) ?? by;
    this.#terms.set(term, first);
    if (first !== by) this.#world.fail(`two leaders write in term ${String(term)}: ${first} and ${by}`);
  }

  /** Who wrote that in this term leads in it, or was deposed only a moment ago. */
  #led(term: number, by: string, what: string): void {
    this.#writesIn(term, by);
    const leader = this.#leader;
    if (leader !== undefined && leader.term > term && this.#world.now - leader.since > HANDOVER_MS)
      this.#world.fail(`${by} was deposed long ago and writes a ${what} of term ${String(term)}`);
  }

  #placed({ value, previous, by }: StoredChange): void {
    const next = decodePlacement(value);
    this.#led(next.term, by, 'placement');
    this.placements.changed(next, previous === undefined ? undefined : decodePlacement(previous.value), by);
  }

  #leased(next: LeaseDocument, before: LeaseDocument | undefined, by: string): void {
    const { segment, state, node, session, epoch } = next;
    this.#world.runLog.say('store', 'lease', {
      segment,
      state,
      node,
      session,
      epoch,
      unpromoted: next.unpromoted,
      by,
    });
    this.#checkVersion(next, by);
    if (before === undefined) {
      this.#granters.set(segment, by);
      return;
    }
    if (epoch < before.epoch) this.#world.fail(`the epoch of the lease of ${segment} went back (${by})`);
    const isOther = node !== before.node || session !== before.session;
    if (isOther && state === 'held' && epoch === before.epoch) {
      this.#world.fail(`the lease of ${segment} went to ${session} without a new epoch (${by})`);
    }
    if (before.state === 'held' && state !== 'shredded' && !by.startsWith(`${before.node}#`))
      this.#taken(before, next, by);
    if (state === 'held' && epoch > before.epoch) this.#granters.set(segment, by);
  }

  /** One version is one content: copies go by it. */
  #checkVersion({ segment, version, sha256 }: LeaseDocument, by: string): void {
    if (version === null || sha256 === null) return;
    const key = `${segment} ${String(version)}`;
    const known = this.#versions.get(key) ?? sha256;
    this.#versions.set(key, known);
    if (known !== sha256) this.#world.fail(`version ${String(version)} of ${segment} is two contents (${by})`);
  }

  /** A lease went away from a node by another's hand: it was lost, or was just granted by the same one and never used. */
  #taken(before: LeaseDocument, next: LeaseDocument, by: string): void {
    const { segment, node, session, unpromoted, stream } = before;
    if (unpromoted && stream === null)
      this.#world.fail(`${by} took the lease of ${segment} from ${node}, which has unpromoted writes`);
    if (next.epoch === before.epoch && this.#granters.get(segment) === by) return;
    const wellMs = this.#world.wellForMs(node);
    const isSameSession = this.#world.node(node)?.process?.name === session;
    if (isSameSession && wellMs > LONG_WELL_MS) {
      this.#world.fail(`${by} took the lease of ${segment} from ${node}, which was well for ${String(wellMs)} ms`);
    }
  }
}
