import { type ColdStore } from '../../cold/cold-store.ts';
import { TroughError, unreachable } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { type ClusterView, type LeaseEntry, type NodeEntry } from '../../messages/cluster-view.ts';
import {
  type MoveWriterAnswer,
  type MoveWriterRequest,
  type PromoteAnswer,
  type PromoteRequest,
  type ProvisionAnswer,
  type ProvisionRequest,
  type ReleaseAnswer,
  type ReleaseRequest,
  type ShredAnswer,
  type ShredRequest,
} from '../../messages/control.ts';
import { type LeaseDocument } from '../../messages/documents.ts';
import { type NodeCalls } from '../../messages/node-calls.ts';
import { type Journal } from '../../journal/journal.ts';
import { type Published } from '../../messages/node-messages.ts';
import { type MetadataStore } from '../../metadata/metadata-store.ts';
import { CATALOGUE_SEGMENT, parseSegmentId, type SegmentId } from '../../model/segment-id.ts';
import { type SegmentTreatment } from '../../model/segment-rules.ts';
import { segmentUnknown } from '../../model/segment-unknown.ts';
import { type Actor } from '../../runtime/actor.ts';
import { type Reply, replyWith } from '../../runtime/ask.ts';
import { type Clock } from '../../runtime/clock.ts';
import { KeyedTasks } from '../../runtime/keyed-tasks.ts';
import { emptiestWriter } from '../shared/emptiest-writer.ts';
import { LeaseStore } from '../shared/lease-store.ts';
import { grantedLease } from './lease-documents.ts';
import { LeaseHandOver } from './lease-hand-over.ts';
import { isGone, isJournaled, LeaseMover } from './lease-mover.ts';
import { LeaseShredder } from './lease-shredder.ts';
import { awayForNow, provisioned } from './provision-answers.ts';
import { isSettled, mayMove } from './lease-sweeper.ts';
import { DEFAULT_SCHEMA, readSchema } from './schema-registry.ts';

export type RegistrarMessage =
  | { readonly kind: 'provision'; readonly request: ProvisionRequest; readonly reply: Reply<ProvisionAnswer> }
  | { readonly kind: 'promote'; readonly request: PromoteRequest; readonly reply: Reply<PromoteAnswer> }
  | { readonly kind: 'release'; readonly request: ReleaseRequest; readonly reply: Reply<ReleaseAnswer> }
  | { readonly kind: 'moveWriter'; readonly request: MoveWriterRequest; readonly reply: Reply<MoveWriterAnswer> }
  /** Off its holder: to another writer where that can go on from the journal, else given up. */
  | { readonly kind: 'vacate'; readonly segment: string; readonly reply: Reply<void> }
  /** To another writer, when its holder is gone and the journal has its writes; else nothing happens. */
  | { readonly kind: 'takeOver'; readonly segment: string; readonly reply: Reply<boolean> }
  | { readonly kind: 'shred'; readonly request: ShredRequest; readonly reply: Reply<ShredAnswer> };

/** What the registrar has done, for the catalogue; each resolves when it is recorded there. */
export interface RegistrarNews {
  readonly granted: (segment: SegmentId, schema: string) => Promise<void>;
  readonly published: (segment: SegmentId, published: Published) => Promise<void>;
  readonly shredded: (segment: SegmentId) => Promise<void>;
}

export interface RegistrarDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly view: ClusterView;
  readonly store: MetadataStore;
  readonly cold: ColdStore;
  /** Where new leases keep their writes. Absent: on the holder's disk alone. */
  readonly journal?: Journal;
  readonly nodes: NodeCalls;
  readonly rule: (id: string) => SegmentTreatment;
  readonly news: RegistrarNews;
  /** How long nobody else can have led, ms; undefined when this process does not lead. */
  readonly aloneMs: () => number | undefined;
}

type Lease = LeaseEntry | undefined;

/** Grants the right to write a segment, to one node at a time, by compare-and-set on the segment's lease. */
export class LeaseRegistrar implements Actor<RegistrarMessage> {
  readonly name = 'lease-registrar';
  readonly #deps: RegistrarDeps;
  readonly #tasks = new KeyedTasks({ parallel: 64, waiting: 20_000 });
  readonly #leases: LeaseStore;
  /** Leases granted to a node that its beats do not count yet: spreads a burst of provisions. */
  readonly #granting = new Map<string, number>();
  readonly #mover: LeaseMover;
  readonly #handOver: LeaseHandOver;
  readonly #shredder: LeaseShredder;

  constructor(deps: RegistrarDeps) {
    this.#deps = deps;
    this.#leases = new LeaseStore(deps);
    this.#mover = new LeaseMover({ ...deps, leases: this.#leases, granting: this.#granting });
    this.#handOver = new LeaseHandOver({ ...deps, granting: this.#granting });
    this.#shredder = new LeaseShredder({ ...deps, leases: this.#leases });
  }

  receive(message: RegistrarMessage): void {
    switch (message.kind) {
      case 'provision':
        void replyWith(
          message.reply,
          this.#inTurn(message.request.segment, (id) => this.#provision(id, message.request.schema)),
        );
        return;
      case 'promote':
        void replyWith(message.reply, this.#promote(message.request));
        return;
      case 'release':
        void replyWith(
          message.reply,
          this.#inTurn(message.request.segment, (id) => this.#release(id)),
        );
        return;
      case 'moveWriter':
        void replyWith(
          message.reply,
          this.#inTurn(message.request.segment, (id) => this.#moveWriter(id, message.request.node)),
        );
        return;
      case 'vacate':
        void replyWith(
          message.reply,
          this.#inTurn(message.segment, (id) => this.#vacate(id)),
        );
        return;
      case 'takeOver':
        void replyWith(
          message.reply,
          this.#inTurn(message.segment, (id) => this.#takeOver(id)),
        );
        return;
      case 'shred':
        void replyWith(
          message.reply,
          this.#inTurn(message.request.segment, (id) => this.#shredder.shred(id, message.request.force)),
        );
        return;
      default:
        unreachable(message);
    }
  }

  stop(): Promise<void> {
    return this.#tasks.idle();
  }

  async #inTurn<T>(segment: string, task: (id: SegmentId) => Promise<T>): Promise<T> {
    const id = parseSegmentId(segment);
    return this.#tasks.run(id, () => task(id));
  }

  /** By what the view knows of the lease; when that turns out to be old, by the store. */
  async #provision(id: SegmentId, asked: string | undefined): Promise<ProvisionAnswer> {
    if (id === CATALOGUE_SEGMENT)
      throw new TroughError('SEGMENT_ID_INVALID', `'${id}' is the catalogue of the cluster, which is only read`);
    const schema = asked ?? DEFAULT_SCHEMA.id;
    try {
      return await this.#provisionFrom(id, this.#deps.view.lease(id), schema);
    } catch (error) {
      if (TroughError.from(error).code !== 'METADATA_CONFLICT') throw error;
      return this.#provisionFrom(id, await this.#leases.read(id), schema);
    }
  }

  async #provisionFrom(id: SegmentId, lease: Lease, schema: string): Promise<ProvisionAnswer> {
    if (lease?.document.state === 'held') {
      const kept = await this.#atHolder(id, lease, schema);
      if (kept !== undefined) return kept;
      if (isJournaled(lease)) {
        const { node, sizeBytes } = await this.#mover.move(id, lease);
        return provisioned(id, node, { sizeBytes, created: false }, schema);
      }
    }
    if (this.#deps.rule(id).tier === 'cold') {
      throw new TroughError(
        'SEGMENT_COLD_TIER',
        `cannot provision segment ${id} for writing because that segment id is in the read-only cold storage range`,
        { segment: id },
      );
    }
    const hasBase = await this.#hasBase(id, lease);
    const schemaSql = await this.#schemaSql(schema, hasBase);
    const node = emptiestWriter(this.#deps.view, this.#granting);
    this.#granting.set(node.document.node, (this.#granting.get(node.document.node) ?? 0) + 1);
    try {
      return await this.#grant(id, lease, node, { schema, schemaSql, hasBase });
    } finally {
      this.#granting.set(node.document.node, (this.#granting.get(node.document.node) ?? 1) - 1);
    }
  }

  /** The answer for a segment that is writable already; undefined when its holder is lost and the lease may move. */
  async #atHolder(id: SegmentId, lease: LeaseEntry, schema: string): Promise<ProvisionAnswer | undefined> {
    const holder = this.#deps.view.node(lease.document.node);
    const away = holder === undefined || holder.state === 'lost' || holder.state === 'stopped';
    if (away && mayMove(lease) && isSettled(this.#deps.aloneMs())) return undefined;
    if (away) throw mayMove(lease) ? awayForNow(id, lease) : this.#holderDown(id, lease.document.node);
    const schemaSql = this.#deps.view.schema(lease.document.schema)?.sql ?? '';
    const { sizeBytes } = await this.#deps.nodes.open(lease.document.node, {
      lease: lease.document,
      revision: lease.revision,
      schemaSql,
      hasBase: lease.document.version !== null || (await this.#deps.cold.stat(id)) !== undefined,
    });
    return provisioned(id, holder, { sizeBytes, created: false }, schema);
  }

  async #takeOver(id: SegmentId): Promise<boolean> {
    const lease = await this.#leases.read(id);
    if (lease?.document.state !== 'held' || !isJournaled(lease) || !isSettled(this.#deps.aloneMs())) return false;
    if (!isGone(this.#deps.view.node(lease.document.node))) return false;
    await this.#mover.move(id, lease);
    return true;
  }

  /** Whether the segment goes on from a file in cold storage. COLD_MISSING when what was published is not there any more. */
  async #hasBase(id: SegmentId, lease: Lease): Promise<boolean> {
    if (lease?.document.state === 'shredded') return false;
    if ((await this.#deps.cold.stat(id)) !== undefined) return true;
    if ((lease?.document.version ?? null) === null) return false;
    throw new TroughError(
      'COLD_MISSING',
      `'${id}' was published but is gone from cold storage; put its file back, or shred it`,
      {
        segment: id,
      },
    );
  }

  /** The SQL that makes the segment. One that has a base needs none: the schema is then only echoed, as ever. */
  async #schemaSql(schema: string, hasBase: boolean): Promise<string> {
    const document = await readSchema(this.#deps, schema);
    if (document !== undefined) return document.sql;
    if (hasBase) return '';
    throw new TroughError('SCHEMA_UNKNOWN', `there is no schema '${schema}'; register it first`, { schema });
  }

  async #grant(
    id: SegmentId,
    lease: Lease,
    node: NodeEntry,
    from: { readonly schema: string; readonly schemaSql: string; readonly hasBase: boolean },
  ): Promise<ProvisionAnswer> {
    const { schema, schemaSql, hasBase } = from;
    const stream = this.#deps.journal?.pickStream(id);
    const document = grantedLease(id, lease?.document, node.document, schema, this.#deps.clock.now(), stream);
    const revision = await this.#leases.write(document, lease?.revision);
    try {
      const opened = await this.#deps.nodes.open(document.node, { lease: document, revision, schemaSql, hasBase });
      await this.#deps.news.granted(id, schema);
      return provisioned(id, node, opened, schema);
    } catch (error) {
      await this.#takeBack(document, revision, hasBase || (lease !== undefined && lease.document.state !== 'shredded'));
      throw error;
    }
  }

  /** The node did not open it, or did not say so: a write under this lease would find at its first compare-and-set that it is gone. */
  async #takeBack(granted: LeaseDocument, revision: number, existed: boolean): Promise<void> {
    // What cold storage had before any lease is not shredded: that word would hide it, and let the next provision start from nothing.
    const state = existed ? 'released' : 'shredded';
    try {
      await this.#leases.write({ ...granted, state }, revision);
    } catch (error) {
      this.#deps.log.warn(
        { segment: granted.segment, err: TroughError.from(error) },
        'a lease that could not be used was not taken back',
      );
    }
  }

  async #promote(request: PromoteRequest): Promise<PromoteAnswer> {
    const id = parseSegmentId(request.segment);
    const lease = await this.#held(id);
    const { published } = await this.#deps.nodes.promote(lease.document.node, {
      segment: id,
      epoch: lease.document.epoch,
      discard: false,
    });
    if (published === undefined)
      throw new TroughError('INTERNAL', 'a promote came back without its result', { segment: id });
    await this.#deps.news.published(id, published);
    const { version, sizeBytes, sha256, path } = published;
    return { segment: id, version, sizeBytes, sha256, path };
  }

  async #release(id: SegmentId): Promise<ReleaseAnswer> {
    const lease = await this.#held(id);
    const { published } = await this.#deps.nodes.close(lease.document.node, {
      segment: id,
      epoch: lease.document.epoch,
      discard: false,
    });
    if (published === undefined)
      throw new TroughError('INTERNAL', 'a release came back without its result', { segment: id });
    await this.#deps.news.published(id, published);
    return { segment: id, version: published.version };
  }

  async #moveWriter(id: SegmentId, to: string): Promise<MoveWriterAnswer> {
    const lease = await this.#held(id);
    const entry = this.#handOver.demand(id, lease, to);
    if (lease.document.node !== to) await this.#handOver.give(id, lease, entry);
    return { segment: id, from: lease.document.node, node: to };
  }

  async #vacate(id: SegmentId): Promise<void> {
    const lease = await this.#held(id);
    const successor = this.#handOver.successor(lease);
    if (successor === undefined) await this.#release(id);
    else await this.#handOver.give(id, lease, successor);
  }

  async #held(id: SegmentId): Promise<LeaseEntry> {
    const lease = await this.#leases.read(id);
    if (lease?.document.state !== 'held') {
      await this.#refuseUnknown(id, lease);
      throw new TroughError('SEGMENT_NOT_WRITABLE', `'${id}' is not open for writing on any node`, { segment: id });
    }
    const holder = this.#deps.view.node(lease.document.node);
    if (holder?.state === 'lost' || holder?.state === 'stopped') {
      throw isJournaled(lease) ? awayForNow(id, lease) : this.#holderDown(id, lease.document.node);
    }
    return lease;
  }

  async #refuseUnknown(id: SegmentId, lease: Lease): Promise<void> {
    const published = lease?.document.state === 'released' || (await this.#deps.cold.stat(id)) !== undefined;
    if (!published) throw segmentUnknown(id);
  }

  #holderDown(id: SegmentId, node: string): TroughError {
    return new TroughError(
      'SEGMENT_HOLDER_DOWN',
      `the node '${node}' that holds '${id}' is down and has writes that were not promoted; they are back when it is started again`,
      { segment: id, node },
    );
  }
}
