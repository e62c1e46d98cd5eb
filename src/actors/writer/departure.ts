import { TroughError } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { type ClusterView } from '../../messages/cluster-view.ts';
import { type NodeCalls } from '../../messages/node-calls.ts';
import { type HandOverAnswer, type HandOverRequest } from '../../messages/node-messages.ts';
import { type SegmentId } from '../../model/segment-id.ts';
import { type Clock } from '../../runtime/clock.ts';
import { emptiestWriter } from '../shared/emptiest-writer.ts';
import { type HotSegment } from './hot-segment.ts';

export interface DepartureDeps {
  readonly view: ClusterView;
  readonly nodes: Pick<NodeCalls, 'open' | 'prepare'>;
  readonly self: { readonly node: string };
  readonly log: Log;
  readonly clock: Clock;
  /** How long this node waits for a preparation when it is about to stop, ms: its lease must have moved by the end of the time that it has. */
  readonly stopPatienceMs: number;
}

/** A journal of so many bytes takes longer to go through than a preparation costs. */
const HEAD_START_BYTES = 128 * 1024;
/** Nobody waits for a preparation while the segment is written here. */
const PATIENCE_MS = 30_000;

/** Gives segments to other writers while writes go on: of each only from its last group here until it is open there. Needs no leader. */
export class Departure {
  readonly #deps: DepartureDeps;
  #hasBegun = false;

  constructor(deps: DepartureDeps) {
    this.#deps = deps;
  }

  /** This node is about to stop. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** NODE_UNAVAILABLE. */
  refuseIfBegun(segment: SegmentId): void {
    if (!this.#hasBegun) return;
    const message = `the node '${this.#deps.self.node}' is being stopped and opens nothing`;
    throw new TroughError('NODE_UNAVAILABLE', message, { segment });
  }

  /** Once the lease is changed the segment is the other's, also when that cannot open it at once: it tries again by itself. */
  async give(hot: HotSegment, to: HandOverRequest['to']): Promise<HandOverAnswer> {
    const { view, nodes, log } = this.#deps;
    if (hot.backlogBytes >= HEAD_START_BYTES) await this.#prepare(hot, to.node);
    const { lease, revision } = await hot.handOver(to);
    const schemaSql = view.schema(lease.schema)?.sql ?? '';
    const { sizeBytes } = await nodes.open(to.node, { lease, revision, schemaSql, hasBase: true });
    log.info({ segment: hot.id, to: to.node }, 'a segment was given to another node');
    return { sizeBytes };
  }

  /** While writes go on here: the other then has to run only what comes meanwhile. Without it the hand-over takes longer, that is all. */
  async #prepare(hot: HotSegment, node: string): Promise<void> {
    const { nodes, clock, log, stopPatienceMs } = this.#deps;
    const prepared = nodes.prepare(node, { lease: hot.lease.document }).catch((error: unknown) => {
      const err = TroughError.from(error);
      log.info({ segment: hot.id, to: node, err }, 'a hand-over begins without its preparation');
    });
    let cancel = (): void => undefined;
    const late = new Promise<void>((resolve) => {
      cancel = clock.after(this.#hasBegun ? stopPatienceMs : PATIENCE_MS, resolve);
    });
    // What is not ready by then goes on there, before the opening.
    await Promise.race([prepared, late]);
    cancel();
  }

  /** Gives away all of these, in this order, to whoever is least filled. What nobody can take now stays. */
  async leave(
    leaving: readonly HotSegment[],
    handOver: (request: HandOverRequest) => Promise<HandOverAnswer>,
  ): Promise<void> {
    this.#hasBegun = true;
    const granting = new Map<string, number>();
    const one = async ({ id, lease }: HotSegment): Promise<void> => {
      try {
        const { document } = emptiestWriter(this.#deps.view, granting, { not: this.#deps.self.node });
        const { node, session } = document;
        granting.set(node, (granting.get(node) ?? 0) + 1);
        await handOver({ segment: id, epoch: lease.epoch, to: { node, session } });
      } catch (error) {
        const err = TroughError.from(error);
        this.#deps.log.info({ segment: id, err }, 'a segment was not given to another node before the stop');
      }
    };
    await Promise.all(leaving.map(one));
  }
}
