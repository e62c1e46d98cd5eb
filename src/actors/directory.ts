import { type TroughError, unreachable } from '../errors.ts';
import {
  type ClusterView,
  type LeaseEntry,
  type NodeEntry,
  type NodeState,
  type RuleEntry,
} from '../messages/cluster-view.ts';
import {
  ClusterDocument,
  decodeDocument,
  DrainDocument,
  LeaderDocument,
  LeaseDocument,
  NodeDocument,
  RuleDocument,
  SchemaDocument,
} from '../messages/documents.ts';
import { parseKey } from '../messages/keys.ts';
import { type Beat } from '../messages/node-messages.ts';
import { type WatchEvent } from '../metadata/metadata-store.ts';
import { type Actor, type Emit } from '../runtime/actor.ts';
import { type Clock } from '../runtime/clock.ts';
import { entryOf, type Member } from './directory/member.ts';

export type DirectoryMessage =
  | { readonly kind: 'metadata'; readonly event: WatchEvent }
  | { readonly kind: 'beat'; readonly beat: Beat }
  | { readonly kind: 'tick'; readonly connected: boolean };

export type DirectoryNews =
  | { readonly kind: 'current' }
  /** undefined: the document is gone, and with it the store that it was in. */
  | { readonly kind: 'cluster'; readonly document: ClusterDocument | undefined }
  | { readonly kind: 'lease'; readonly lease: LeaseEntry }
  /** It was set, changed or taken back. */
  | { readonly kind: 'rule'; readonly segment: string }
  | { readonly kind: 'node'; readonly document: NodeDocument }
  | { readonly kind: 'node-state'; readonly node: string; readonly from: NodeState; readonly to: NodeState }
  | { readonly kind: 'unreadable'; readonly error: TroughError };

export interface DirectoryDeps {
  readonly clock: Clock;
  readonly emit: Emit<DirectoryNews>;
  readonly suspectAfterMs: number;
  readonly lostAfterMs: number;
}

/** A tick that comes later than this was held up here: the time in between is nobody else's silence. */
const LONGEST_TICK_MS = 2_000;
/** Beats that are kept for documents that have not come yet. */
const EARLY_BEATS = 1_000;

/** Folds metadata changes and beats into what this process knows of the cluster; announces what others act on. */
export class Directory implements Actor<DirectoryMessage>, ClusterView {
  readonly name = 'directory';
  readonly #deps: DirectoryDeps;
  readonly #members = new Map<string, Member>();
  /** The newest beat per node of a session whose document has not come yet, and how long ago it came, as silence is counted. */
  readonly #early = new Map<string, { readonly beat: Beat; silentMs: number }>();
  readonly #leases = new Map<string, LeaseEntry>();
  readonly #leaseCounts = new Map<string, number>();
  readonly #schemas = new Map<string, SchemaDocument>();
  readonly #drains = new Map<string, DrainDocument>();
  readonly #rules = new Map<string, RuleEntry>();
  #cluster: { document: ClusterDocument; revision: number } | undefined;
  #leader: { document: LeaderDocument; revision: number } | undefined;
  #leaderSeenAt: number;
  #placement: { value: Uint8Array; revision: number } | undefined;
  #current = false;
  #revision = 0;
  #lastTick: number;

  constructor(deps: DirectoryDeps) {
    this.#deps = deps;
    this.#lastTick = deps.clock.monotonic();
    this.#leaderSeenAt = this.#lastTick;
  }

  receive(message: DirectoryMessage): void {
    switch (message.kind) {
      case 'metadata':
        this.#fold(message.event);
        return;
      case 'beat':
        this.#heard(message.beat);
        return;
      case 'tick':
        this.#tick(message.connected);
        return;
      default:
        unreachable(message);
    }
  }

  get current(): boolean {
    return this.#current;
  }

  get revision(): number {
    return this.#revision;
  }

  cluster(): { document: ClusterDocument; revision: number } | undefined {
    return this.#cluster;
  }

  leader(): { document: LeaderDocument; revision: number; unchangedMs: number } | undefined {
    if (this.#leader === undefined) return undefined;
    return { ...this.#leader, unchangedMs: this.#deps.clock.monotonic() - this.#leaderSeenAt };
  }

  node(name: string): NodeEntry | undefined {
    const member = this.#members.get(name);
    return member === undefined ? undefined : entryOf(member);
  }

  nodes(): readonly NodeEntry[] {
    return Array.from(this.#members.values(), entryOf);
  }

  drainOf(node: string): DrainDocument | undefined {
    return this.#drains.get(node);
  }

  rule(segment: string): RuleEntry | undefined {
    return this.#rules.get(segment);
  }

  rules(): Iterable<RuleEntry> {
    return this.#rules.values();
  }

  lease(segment: string): LeaseEntry | undefined {
    return this.#leases.get(segment);
  }

  leases(): Iterable<LeaseEntry> {
    return this.#leases.values();
  }

  leasesOf(node: string): number {
    return this.#leaseCounts.get(node) ?? 0;
  }

  placement(): { value: Uint8Array; revision: number } | undefined {
    return this.#placement;
  }

  schema(id: string): SchemaDocument | undefined {
    return this.#schemas.get(id);
  }

  schemaIds(): readonly string[] {
    return Array.from(this.#schemas.keys());
  }

  #fold(event: WatchEvent): void {
    this.#revision = Math.max(this.#revision, event.revision);
    if (event.kind === 'current') {
      this.#current = true;
      this.#deps.emit({ kind: 'current' });
      return;
    }
    try {
      if (event.kind === 'put') this.#put(event.key, event.value, event.revision);
      else this.#delete(event.key);
    } catch (error) {
      // One unreadable document must not hide all the others.
      this.#deps.emit({ kind: 'unreadable', error: error as TroughError });
    }
  }

  #put(key: string, value: Uint8Array, revision: number): void {
    const parsed = parseKey(key);
    if (parsed === undefined) return;
    switch (parsed.kind) {
      case 'cluster':
        this.#belongs({ document: decodeDocument(ClusterDocument, key, value), revision });
        return;
      case 'leader':
        this.#leader = { document: decodeDocument(LeaderDocument, key, value), revision };
        this.#leaderSeenAt = this.#deps.clock.monotonic();
        return;
      case 'placement':
        this.#placement = { value, revision };
        return;
      case 'node':
        this.#register(decodeDocument(NodeDocument, key, value));
        return;
      case 'lease':
        this.#lease({ document: decodeDocument(LeaseDocument, key, value), revision });
        return;
      case 'schema':
        this.#schemas.set(parsed.name, decodeDocument(SchemaDocument, key, value));
        return;
      case 'drain':
        this.#drains.set(parsed.name, decodeDocument(DrainDocument, key, value));
        return;
      case 'rule':
        this.#rules.set(parsed.name, { document: decodeDocument(RuleDocument, key, value), revision });
        this.#deps.emit({ kind: 'rule', segment: parsed.name });
        return;
      default:
        unreachable(parsed.kind);
    }
  }

  #delete(key: string): void {
    const parsed = parseKey(key);
    if (parsed === undefined) return;
    switch (parsed.kind) {
      case 'cluster':
        this.#belongs(undefined);
        return;
      case 'leader':
        this.#leader = undefined;
        return;
      case 'placement':
        this.#placement = undefined;
        return;
      case 'node':
        this.#members.delete(parsed.name);
        return;
      case 'lease':
        this.#count(this.#leases.get(parsed.name), -1);
        this.#leases.delete(parsed.name);
        return;
      case 'schema':
        this.#schemas.delete(parsed.name);
        return;
      case 'drain':
        this.#drains.delete(parsed.name);
        return;
      case 'rule':
        this.#rules.delete(parsed.name);
        this.#deps.emit({ kind: 'rule', segment: parsed.name });
        return;
      default:
        unreachable(parsed.kind);
    }
  }

  #belongs(cluster: { document: ClusterDocument; revision: number } | undefined): void {
    this.#cluster = cluster;
    this.#deps.emit({ kind: 'cluster', document: cluster?.document });
  }

  #lease(lease: LeaseEntry): void {
    this.#count(this.#leases.get(lease.document.segment), -1);
    this.#leases.set(lease.document.segment, lease);
    this.#count(lease, 1);
    this.#deps.emit({ kind: 'lease', lease });
  }

  #count(lease: LeaseEntry | undefined, by: number): void {
    if (lease?.document.state !== 'held') return;
    this.#leaseCounts.set(lease.document.node, this.leasesOf(lease.document.node) + by);
  }

  #register(document: NodeDocument): void {
    const known = this.#members.get(document.node);
    const fresh = known?.document.session !== document.session;
    const early = fresh ? this.#adopt(document) : known;
    const member: Member = {
      document,
      beat: early?.beat,
      silentMs: early?.silentMs ?? 0,
      state: known?.state ?? 'alive',
    };
    this.#members.set(document.node, member);
    this.#judge(member);
    this.#deps.emit({ kind: 'node', document });
  }

  #heard(beat: Beat): void {
    const member = this.#members.get(beat.node);
    // A beat of a session that is not registered is an old one's last word, or a new one's first before its document.
    if (member?.document.session !== beat.session) {
      this.#keepEarly(beat);
      return;
    }
    member.beat = beat;
    member.silentMs = 0;
    this.#judge(member);
  }

  #keepEarly(beat: Beat): void {
    this.#early.delete(beat.node);
    const [oldest] = this.#early.keys();
    if (oldest !== undefined && this.#early.size >= EARLY_BEATS) this.#early.delete(oldest);
    this.#early.set(beat.node, { beat, silentMs: 0 });
  }

  #adopt({ node, session }: NodeDocument): { readonly beat: Beat; readonly silentMs: number } | undefined {
    const early = this.#early.get(node);
    if (early?.beat.session !== session) return undefined;
    this.#early.delete(node);
    return early;
  }

  #tick(connected: boolean): void {
    const now = this.#deps.clock.monotonic();
    const elapsedMs = now - this.#lastTick;
    this.#lastTick = now;
    if (!connected || elapsedMs > LONGEST_TICK_MS) {
      // What was not heard meanwhile is not the leader's silence either.
      this.#leaderSeenAt += elapsedMs;
      return;
    }
    for (const member of this.#members.values()) {
      member.silentMs += elapsedMs;
      this.#judge(member);
    }
    for (const [node, early] of this.#early) {
      early.silentMs += elapsedMs;
      if (early.silentMs >= this.#deps.lostAfterMs) this.#early.delete(node);
    }
  }

  #judge(member: Member): void {
    const from = member.state;
    member.state = this.#stateOf(member);
    if (member.state === from) return;
    this.#deps.emit({ kind: 'node-state', node: member.document.node, from, to: member.state });
  }

  #stateOf(member: Member): NodeState {
    if (member.document.state === 'stopped') return 'stopped';
    if (member.silentMs >= this.#deps.lostAfterMs) return 'lost';
    return member.silentMs >= this.#deps.suspectAfterMs ? 'suspect' : 'alive';
  }
}
