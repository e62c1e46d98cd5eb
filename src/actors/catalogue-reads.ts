import { type Engine } from '../engine/engine.ts';
import { TroughError } from '../errors.ts';
import { type ClusterView } from '../messages/cluster-view.ts';
import { type PeerCalls } from '../messages/node-calls.ts';
import { type Read, type ReadAnswer, type ReadRequest } from '../messages/reading.ts';
import { CATALOGUE_SEGMENT } from '../model/segment-id.ts';

/** The catalogue that this process keeps, where it is a sync-master. */
export interface OwnCatalogue {
  readonly file: string;
  readonly leads: () => boolean;
}

export interface CatalogueReadsDeps {
  readonly view: ClusterView;
  readonly engine: Engine;
  readonly peers: PeerCalls;
  readonly own: () => OwnCatalogue | undefined;
  /** Answers for every other segment. */
  readonly others: Read;
  readonly node: string;
  readonly deadlineMs: number;
  readonly deadlineLimitMs: number;
}

/**
 * The catalogue as a segment, `_catalogue`: whoever leads answers from the database that it keeps anyway, any other node hands the read on to it. With
 * consistency `any` a sync-master that does not lead answers too, from its own, which is behind by a listing of cold storage at most.
 */
export class CatalogueReads {
  readonly #deps: CatalogueReadsDeps;

  constructor(deps: CatalogueReadsDeps) {
    this.#deps = deps;
  }

  /** LEADER_UNKNOWN while nobody leads, or nobody answers as the leader. */
  readonly read: Read = (request, signal) =>
    request.segment === CATALOGUE_SEGMENT ? this.#read(request, signal) : this.#deps.others(request, signal);

  async #read(request: ReadRequest, signal: AbortSignal): Promise<ReadAnswer> {
    const { own, view, node, peers } = this.#deps;
    const catalogue = own();
    if (catalogue !== undefined && (catalogue.leads() || request.consistency === 'any'))
      return this.#run(catalogue.file, request, signal);
    const leader = view.leader()?.document;
    if (request.hops > 0 || leader?.held !== true || leader.node === node)
      throw new TroughError('LEADER_UNKNOWN', 'no sync-master leads the cluster now: its catalogue cannot be read');
    try {
      return await peers.read(leader.node, { ...request, hops: 1 }, signal);
    } catch (error) {
      if (TroughError.from(error).code !== 'NODE_UNAVAILABLE') throw error;
      throw new TroughError('LEADER_UNKNOWN', `the leader '${leader.node}' does not answer`, {}, error);
    }
  }

  async #run(file: string, request: ReadRequest, signal: AbortSignal): Promise<ReadAnswer> {
    const { engine, node, deadlineMs, deadlineLimitMs } = this.#deps;
    const { segment, sql, params, format, bigints, maxRows } = request;
    const { columns, body, failure, summary } = await engine.query(
      {
        ...{ segment, sql, params, format, bigints, maxRows, file, version: 'live', live: true },
        deadlineMs: Math.min(request.deadlineMs ?? deadlineMs, deadlineLimitMs),
      },
      signal,
    );
    return { node, version: 'live', columns, body, failure, summary };
  }
}
