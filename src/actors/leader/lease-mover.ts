import { TroughError } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { type ClusterView, type LeaseEntry, type NodeEntry } from '../../messages/cluster-view.ts';
import { type OpenAnswer } from '../../messages/node-messages.ts';
import { type NodeCalls } from '../../messages/node-calls.ts';
import { type SegmentId } from '../../model/segment-id.ts';
import { type Clock } from '../../runtime/clock.ts';
import { type LeaseStore } from '../shared/lease-store.ts';
import { emptiestWriter } from '../shared/emptiest-writer.ts';
import { movedLease } from './lease-documents.ts';

export interface LeaseMoverDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly view: ClusterView;
  readonly nodes: NodeCalls;
  readonly leases: LeaseStore;
  /** Leases granted to a node that its beats do not count yet. */
  readonly granting: Map<string, number>;
}

export interface Moved extends OpenAnswer {
  readonly node: NodeEntry;
}

/** A node that stopped cleanly is mostly being restarted: its leases wait for it this long. */
const RESTART_MS = 10_000;

/** Whether the segment's writes are in a journal, so that another node can go on where its holder was. */
export function isJournaled({ document }: LeaseEntry): boolean {
  return document.stream !== null;
}

/** The holder acknowledges and answers nothing any more, whatever it may still believe. */
export function isGone(holder: NodeEntry | undefined): boolean {
  if (holder === undefined) return true;
  return holder.state === 'lost' || (holder.state === 'stopped' && holder.silentMs >= RESTART_MS);
}

/** Gives the lease of a node that is gone to another one, which goes on from the journal. */
export class LeaseMover {
  readonly #deps: LeaseMoverDeps;

  constructor(deps: LeaseMoverDeps) {
    this.#deps = deps;
  }

  /** Once the lease is changed it stays with the new node, also when that cannot open it at once: it tries again by itself. */
  async move(id: SegmentId, lease: LeaseEntry): Promise<Moved> {
    const { clock, log, view, nodes, leases, granting } = this.#deps;
    const node = emptiestWriter(view, granting);
    const { node: name } = node.document;
    granting.set(name, (granting.get(name) ?? 0) + 1);
    try {
      const document = movedLease(lease.document, node.document, clock.now());
      const revision = await leases.write(document, lease.revision);
      const schemaSql = view.schema(document.schema)?.sql ?? '';
      const opened = await nodes.open(name, { lease: document, revision, schemaSql, hasBase: true });
      log.info({ segment: id, from: lease.document.node, to: name }, 'a segment was taken over');
      return { node, ...opened };
    } catch (error) {
      const err = TroughError.from(error);
      if (err.code !== 'METADATA_CONFLICT') log.warn({ segment: id, to: name, err }, 'a take-over is not done yet');
      throw err;
    } finally {
      granting.set(name, (granting.get(name) ?? 1) - 1);
    }
  }
}
