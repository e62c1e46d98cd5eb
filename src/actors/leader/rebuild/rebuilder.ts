import { TroughError } from '../../../errors.ts';
import { type RebuildAnswer, type RebuildRequest } from '../../../messages/rebuild.ts';
import { type Actor } from '../../../runtime/actor.ts';
import { type Reply, replyWith } from '../../../runtime/ask.ts';
import { type RebuildDeps } from './rebuild-deps.ts';
import { RebuildReport } from './rebuild-report.ts';
import { RebuildRun } from './rebuild-run.ts';

export interface RebuilderMessage {
  readonly kind: 'rebuild';
  readonly request: RebuildRequest;
  readonly reply: Reply<RebuildAnswer>;
}

interface Job {
  readonly report: RebuildReport;
  readonly done: Promise<void>;
  isOver: boolean;
}

/** Rebuilds the metadata when an operator asks for it: one at a time, beside everything else; who asks comes again for what is new. */
export class Rebuilder implements Actor<RebuilderMessage> {
  readonly name = 'rebuilder';
  readonly #deps: RebuildDeps;
  readonly #session: string;
  readonly #stopping = new AbortController();
  #job: Job | undefined;
  #jobs = 0;

  /** `self`: names the jobs, so that one of another leader is not taken for one of this. */
  constructor(deps: RebuildDeps & { readonly self: { readonly session: string } }) {
    this.#deps = deps;
    this.#session = deps.self.session;
  }

  async receive({ request, reply }: RebuilderMessage): Promise<void> {
    await replyWith(
      reply,
      Promise.resolve().then(() => this.#answer(request)),
    );
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#job?.done;
  }

  #answer(request: RebuildRequest): RebuildAnswer {
    const { job, from } = request;
    if (job === undefined) return this.#begin(request).answer(0);
    if (this.#job?.report.job === job) return this.#job.report.answer(from);
    throw new TroughError('REQUEST_INVALID', `no rebuild '${job}' is known here: begin it again`, { job });
  }

  #begin(request: RebuildRequest): RebuildReport {
    if (this.#job?.isOver === false) {
      throw new TroughError('METADATA_CONFLICT', 'a rebuild is under way already', { job: this.#job.report.job });
    }
    this.#jobs += 1;
    const report = new RebuildReport(`${this.#session}.${String(this.#jobs)}`, request.dryRun);
    const { log } = this.#deps;
    log.info({ actor: this.name, job: report.job, dryRun: request.dryRun }, 'the metadata is rebuilt');
    const done = new RebuildRun(this.#deps, request, report)
      .run(this.#stopping.signal)
      .catch((error: unknown) => {
        const err = TroughError.from(error);
        report.failure = { code: err.code, message: err.message };
        log.error({ actor: this.name, job: report.job, err }, 'the rebuild could not go on; it may be run again');
      })
      .finally(() => {
        job.isOver = true;
        log.info({ actor: this.name, job: report.job, phase: report.phase, ...report.counts }, 'the rebuild is over');
      });
    const job: Job = { report, done, isOver: false };
    this.#job = job;
    return report;
  }
}
