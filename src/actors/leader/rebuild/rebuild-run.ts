import { TroughError } from '../../../errors.ts';
import { metadataLost } from '../../../messages/cluster-view.ts';
import { ClusterDocument, decodeDocument, encodeDocument } from '../../../messages/documents.ts';
import { keys } from '../../../messages/keys.ts';
import { type RebuildRequest } from '../../../messages/rebuild.ts';
import { parseNodeId } from '../../../model/node-id.ts';
import { encodePlacement } from '../../../model/placement-document.ts';
import { placementOfHoldings } from '../../../model/placement-holdings.ts';
import { plan } from '../../../model/placement-plan.ts';
import { LeaseStore } from '../../shared/lease-store.ts';
import { RebuildCopies } from './rebuild-copies.ts';
import { type RebuildDeps } from './rebuild-deps.ts';
import { RebuildHot } from './rebuild-hot.ts';
import { RebuildJournal } from './rebuild-journal.ts';
import { RebuildOpening } from './rebuild-opening.ts';
import { type RebuildReport } from './rebuild-report.ts';
import { writeRules } from './rebuild-rules.ts';
import { RebuiltLeases } from './rebuilt-leases.ts';
import { pause } from '../../../runtime/pause.ts';

const POLL_MS = 200;

/**
 * One rebuild, from its beginning to its end: what can be known is read from cold storage, the journal and the nodes, then written, each document only if nobody else has
 * written it. It may end anywhere: the store counts as lost until the last step, and the next run finds what this one has written.
 */
export class RebuildRun {
  readonly #deps: RebuildDeps;
  readonly #request: RebuildRequest;
  readonly #report: RebuildReport;
  readonly #leaseStore: LeaseStore;
  readonly #leases: RebuiltLeases;
  readonly #remembered = new Set<string>();
  readonly #looked: string[] = [];

  constructor(deps: RebuildDeps, request: RebuildRequest, report: RebuildReport) {
    this.#deps = deps;
    this.#request = request;
    this.#report = report;
    this.#leaseStore = new LeaseStore(deps);
    this.#leases = new RebuiltLeases(this.#leaseStore, report, deps.clock.now());
  }

  /** REQUEST_INVALID when the store was not lost and nothing is to be taken in. */
  async run(signal: AbortSignal): Promise<void> {
    const { dryRun } = this.#request;
    const report = this.#report;
    await this.#untilListed(signal);
    const journal = new RebuildJournal(this.#deps, report, this.#leases);
    const hot = new RebuildHot(this.#deps, report, this.#leases, this.#request.take);
    const copies = new RebuildCopies(this.#deps, report, this.#leases);
    report.phase = 'hot';
    await this.#lookAtNodes(hot, signal);
    this.#demandReason();
    report.phase = 'journal';
    await journal.read(signal);
    await hot.settle(journal, signal);
    await journal.writeLeases(signal);
    report.phase = 'copies';
    for (const node of this.#looked) await copies.collect(node, signal);
    report.phase = 'documents';
    await journal.writeSchemas(signal);
    await writeRules(this.#deps, report, signal);
    report.counts.segments = await this.#deps.rows.count();
    report.find('forgotten', 'which nodes were being drained is kept nowhere else: drain them again');
    if (!dryRun) {
      await this.#place(copies, signal);
      await this.#finish(signal);
      report.phase = 'opening';
      await this.#untilSeen(signal);
      this.#deps.catalogue.adopt();
      await new RebuildOpening(this.#deps, report, this.#leaseStore).open(this.#leases.held(), signal);
    }
    report.sum();
    report.phase = 'done';
  }

  async #untilListed(signal: AbortSignal): Promise<void> {
    const { rows, startedMs } = this.#deps;
    while (!(await rows.isListedSince(startedMs))) {
      this.#demandLead();
      await this.#pause(signal);
    }
  }

  async #lookAtNodes(hot: RebuildHot, signal: AbortSignal): Promise<void> {
    const { view } = this.#deps;
    for (const { document, state } of view.nodes()) {
      const { node } = document;
      if (state !== 'alive') {
        this.#report.find('node', `the node is ${state}: run the rebuild again when it is back`, { node });
        continue;
      }
      if (!document.roles.includes('sync-local') && !document.roles.includes('writer')) continue;
      try {
        const remembers = await hot.collect(node, signal);
        if (remembers !== null) this.#remembered.add(remembers);
        this.#looked.push(node);
        this.#report.counts.nodes += 1;
      } catch (error) {
        const err = TroughError.from(error);
        if (err.code !== 'NODE_UNAVAILABLE' && err.code !== 'BUS_TIMEOUT') throw err;
        this.#report.find('node', `the node could not be asked (${err.message}): run the rebuild again`, { node });
      }
    }
  }

  /** A store that has everything is not to be rebuilt by mistake. */
  #demandReason(): void {
    const cluster = this.#deps.view.cluster()?.document;
    const isStrange = [...this.#remembered].some((id) => id !== cluster?.id);
    const hasWord = Object.keys(this.#request.take).length > 0;
    if (this.#request.force || cluster?.state === 'lost' || isStrange || hasWord) return;
    const message =
      'the metadata store is not empty and no node has data that it does not know of: there is nothing to rebuild (--force does it all the same)';
    throw new TroughError('REQUEST_INVALID', message);
  }

  /** Only where there is none that counts: copies stay where they are. */
  async #place(copies: RebuildCopies, signal: AbortSignal): Promise<void> {
    const { view, store, ranks } = this.#deps;
    if (view.cluster()?.document.state !== 'lost') return;
    const members = view
      .nodes()
      .filter(({ document, state }) => state === 'alive' && document.roles.includes('sync-local'))
      .map(({ document: { node, zone, quotaBytes } }) => ({ node: parseNodeId(node), zone, quotaBytes }));
    if (members.length === 0) return;
    const target = placementOfHoldings(plan(undefined, members, undefined, { copies: ranks }), copies.holdings);
    const before = await store.get(keys.placement, signal);
    const value = encodePlacement({ term: this.#demandLead(), epoch: 1, target, serving: target });
    if (before === undefined) await store.create(keys.placement, value, signal);
    else await store.update(keys.placement, value, before.revision, signal);
  }

  /** From here on the store is whole, and the nodes whose data was looked through belong to it. */
  async #finish(signal: AbortSignal): Promise<void> {
    const { store } = this.#deps;
    this.#demandLead();
    const entry = await store.get(keys.cluster, signal);
    if (entry === undefined) throw metadataLost();
    const document = decodeDocument(ClusterDocument, keys.cluster, entry.value);
    const former = new Set([...document.former, ...this.#remembered].filter((id) => id !== document.id));
    const rebuiltFrom = new Set([...document.rebuiltFrom, ...this.#looked]);
    const next: ClusterDocument = { ...document, state: 'ready', former: [...former], rebuiltFrom: [...rebuiltFrom] };
    await store.update(keys.cluster, encodeDocument(next), entry.revision, signal);
  }

  /** What is asked of the view from here on is as it was written. */
  async #untilSeen(signal: AbortSignal): Promise<void> {
    const { view } = this.#deps;
    while (view.revision < this.#leases.revision || view.cluster()?.document.state !== 'ready') {
      this.#demandLead();
      await this.#pause(signal);
    }
  }

  #demandLead(): number {
    const term = this.#deps.term();
    if (term !== undefined) return term;
    throw new TroughError(
      'LEADER_DEPOSED',
      'this sync-master does not lead any more; the rebuild begins anew elsewhere',
    );
  }

  async #pause(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await pause(this.#deps.clock, POLL_MS);
  }
}
