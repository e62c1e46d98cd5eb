import { type CatalogueEntry } from '../../../src/actors/leader/catalogue-rows.ts';
import { type RebuildDeps } from '../../../src/actors/leader/rebuild/rebuild-deps.ts';
import { RebuildReport } from '../../../src/actors/leader/rebuild/rebuild-report.ts';
import { type RebuildRow } from '../../../src/actors/leader/rebuild/rebuild-rows.ts';
import { RebuildRun } from '../../../src/actors/leader/rebuild/rebuild-run.ts';
import { type ColdStore } from '../../../src/cold/cold-store.ts';
import { TroughError } from '../../../src/errors.ts';
import { type ClusterDocument } from '../../../src/messages/documents.ts';
import { keys } from '../../../src/messages/keys.ts';
import {
  type RebuildAnswer,
  RebuildRequest,
  type SurveyAnswer,
  type SurveyedHot,
} from '../../../src/messages/rebuild.ts';
import { FakeCluster } from '../../support/fake-cluster.ts';
import { recordingLog } from '../../support/recording-log.ts';

type OfNode = Partial<Pick<SurveyAnswer, 'hot' | 'copies'>>;

/** A leader of a cluster in memory that has lost its metadata, and what the nodes and cold storage are made to have. */
export class RebuildScene {
  readonly cluster = new FakeCluster();
  readonly rows = new Map<string, RebuildRow>();
  readonly has = new Map<string, OfNode>();
  /** Of files in cold storage. */
  readonly checksums = new Map<string, string>();
  readonly settled: CatalogueEntry[] = [];
  readonly opened: string[] = [];
  /** What the catalogue has kept of rules. */
  readonly rules: Awaited<ReturnType<RebuildDeps['rows']['rules']>>[number][] = [];
  /** Called before each question to a node. */
  asked: (node: string, what: string) => void = () => undefined;

  static async of(...nodes: readonly string[]): Promise<RebuildScene> {
    const scene = new RebuildScene();
    for (const node of nodes) await scene.cluster.node(node);
    await scene.mark('lost');
    return scene;
  }

  async mark(state: ClusterDocument['state']): Promise<void> {
    const document = { id: 'new', sinceMs: 0, state, former: ['old'], rebuiltFrom: [] };
    await this.cluster.put(keys.cluster, document);
  }

  async documentAt(key: string): Promise<unknown> {
    const entry = await this.cluster.store.get(key);
    return entry === undefined ? undefined : JSON.parse(Buffer.from(entry.value).toString());
  }

  async keys(): Promise<string[]> {
    const found: string[] = [];
    for await (const { key } of this.cluster.store.list('')) found.push(key);
    return found.sort();
  }

  async rebuild(request: Partial<RebuildRequest> = {}): Promise<RebuildAnswer> {
    const { clock, store, view } = this.cluster;
    const asked = RebuildRequest.parse(request);
    const report = new RebuildReport('job', asked.dryRun);
    const run = new RebuildRun(
      {
        ...{ clock, store, view, log: recordingLog().log, ranks: 2, startedMs: 0 },
        cold: { checksum: (id: string) => Promise.resolve(this.checksums.get(id) ?? '') } as unknown as ColdStore,
        nodes: {
          open: (node, { lease }) => {
            this.opened.push(`${lease.segment} on ${node}`);
            return Promise.resolve({ sizeBytes: 0, created: false });
          },
        },
        survey: (node, question) => this.#answer(node, question.what),
        rows: {
          isListedSince: () => Promise.resolve(true),
          of: (ids) => Promise.resolve(new Map([...this.rows].filter(([id]) => ids.includes(id)))),
          count: () => Promise.resolve(this.rows.size),
          schemas: () => Promise.resolve(new Map()),
          rules: () => Promise.resolve(this.rules),
        },
        catalogue: {
          settled: (entries) => {
            this.settled.push(...entries);
            return Promise.resolve();
          },
          adopt: () => undefined,
        },
        takeOver: () => Promise.resolve(false),
        term: () => 1,
      },
      asked,
      report,
    );
    await this.#through(run.run(new AbortController().signal), report);
    return report.answer(0);
  }

  async #through(run: Promise<void>, report: RebuildReport): Promise<void> {
    const state = { isOver: false };
    void run
      .catch((error: unknown) => {
        const { code, message } = TroughError.from(error);
        report.failure = { code, message };
      })
      .finally(() => {
        state.isOver = true;
      });
    for (let turn = 0; turn < 500 && !state.isOver; turn += 1) await this.cluster.clock.advance(200);
  }

  #answer(node: string, what: string): Promise<SurveyAnswer> {
    const nothing = { remembers: 'old', hot: [], copies: [], state: null };
    try {
      this.asked(node, what);
    } catch (error) {
      return Promise.reject(TroughError.from(error));
    }
    const { hot = [], copies = [] } = this.has.get(node) ?? {};
    return Promise.resolve(what === 'hot' ? { ...nothing, hot } : { ...nothing, copies });
  }
}

export function hotFile(segment: string, changes: Partial<SurveyedHot> = {}): SurveyedHot {
  return { segment, sizeBytes: 8_192, modifiedMs: 1_000, note: null, ...changes };
}

export function rowOf(changes: Partial<RebuildRow> = {}): RebuildRow {
  return { version: 500, sizeBytes: 100, sha256: null, schema: null, modifiedMs: 500, isInCold: true, ...changes };
}
