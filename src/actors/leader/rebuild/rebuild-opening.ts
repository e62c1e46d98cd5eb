import { TroughError } from '../../../errors.ts';
import { type LeaseDocument } from '../../../messages/documents.ts';
import { parseSegmentId } from '../../../model/segment-id.ts';
import { KeyedTasks } from '../../../runtime/keyed-tasks.ts';
import { type LeaseStore } from '../../shared/lease-store.ts';
import { type RebuildDeps } from './rebuild-deps.ts';
import { type RebuildReport } from './rebuild-report.ts';

const PARALLEL = 16;

/** Has the nodes open what they hold again, each as after a restart. What does not work now they try again by themselves. */
export class RebuildOpening {
  readonly #deps: RebuildDeps;
  readonly #report: RebuildReport;
  readonly #leases: LeaseStore;

  constructor(deps: RebuildDeps, report: RebuildReport, leases: LeaseStore) {
    this.#deps = deps;
    this.#report = report;
    this.#leases = leases;
  }

  async open(held: readonly LeaseDocument[], signal: AbortSignal): Promise<void> {
    const tasks = new KeyedTasks({ parallel: PARALLEL, waiting: Infinity });
    await Promise.all(held.map(({ segment }) => tasks.run(segment, () => this.#open(segment, signal))));
  }

  async #open(segment: string, signal: AbortSignal): Promise<void> {
    const { nodes, view, takeOver } = this.#deps;
    signal.throwIfAborted();
    const lease = await this.#leases.read(segment);
    if (lease?.document.state !== 'held') return;
    const { node, stream, schema } = lease.document;
    try {
      if (view.node(node)?.state === 'alive') {
        const schemaSql = view.schema(schema)?.sql ?? '';
        await nodes.open(node, { lease: lease.document, revision: lease.revision, schemaSql, hasBase: true });
        this.#report.counts.opened += 1;
        return;
      }
      if (stream !== null && (await takeOver(parseSegmentId(segment)))) {
        this.#report.counts.opened += 1;
        return;
      }
      const why = `its lease is with ${node}, which is not here: start that node${stream === null ? '' : ', or provision the segment'}`;
      this.#report.find('not-opened', why, { segment, node });
    } catch (error) {
      const why = `${node} could not open it yet and tries again by itself: ${TroughError.from(error).message}`;
      this.#report.find('not-opened', why, { segment, node });
    }
  }
}
