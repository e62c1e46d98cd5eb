import { join } from 'node:path';
import { Catalogue, type CatalogueMessage } from '../../../src/actors/leader/catalogue.ts';
import { type CatalogueChange } from '../../../src/actors/leader/catalogue-news.ts';
import { type SlotRank } from '../../../src/actors/leader/catalogue-rows.ts';
import { CATALOGUE_MIGRATIONS } from '../../../src/actors/leader/catalogue-tables.ts';
import { ProcessEngine } from '../../../src/engine/pool.ts';
import { type SegmentsAnswer, type SegmentsRequest } from '../../../src/messages/control.ts';
import { treatmentOf } from '../../../src/messages/copy-places.ts';
import { keys } from '../../../src/messages/keys.ts';
import { type Published } from '../../../src/messages/node-messages.ts';
import { parseSegmentId } from '../../../src/model/segment-id.ts';
import { compileRules } from '../../../src/model/segment-rules.ts';
import { slotOf } from '../../../src/model/slot.ts';
import { ask, type Reply } from '../../../src/runtime/ask.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeCluster } from '../../support/fake-cluster.ts';
import { FakeColdStore } from '../../support/fake-cold-store.ts';
import { FakeDisk } from '../../support/fake-disk.ts';
import { recordingLog } from '../../support/recording-log.ts';
import { tempDir } from '../../support/temp-dir.ts';

type Asking<T> = (reply: Reply<T>) => CatalogueMessage;

/** A catalogue in a database of its own; ids of digits below 100 are of the cold tier, `one-…` have one copy, others two. */
export async function scene() {
  const dir = await tempDir();
  const engine = new ProcessEngine({ nodePath: process.execPath, queryChildren: 1, graceMs: 100 });
  const file = join(dir.path, 'catalogue.sqlite');
  const database = await engine.openDatabase(file, CATALOGUE_MIGRATIONS);
  const cluster = new FakeCluster();
  const cold = new FakeColdStore(new FakeDisk(), () => cluster.clock.now());
  const changes: CatalogueChange['rows'][number][] = [];
  const ruled: CatalogueChange['rows'][number][] = [];
  const { log, lines } = recordingLog();
  let bySettings = compileRules(
    [
      { to: 99, tier: 'cold' },
      { match: '^one-', copies: 1 },
    ],
    2,
  );
  const make = (): Catalogue =>
    new Catalogue({
      clock: cluster.clock,
      database,
      engine,
      file,
      cold,
      view: cluster.view,
      rule: (id) => treatmentOf(bySettings(id), cluster.view.rule(id)?.document),
      ruledBy,
      log,
      emit: ({ kind, rows }) => (kind === 'ruled' ? ruled : changes).push(...rows),
    });
  let ruledBy = 'as they are';
  let catalogue = make();
  const asking = <T>(message: Asking<T>): Promise<T> =>
    ask({ name: 'catalogue', send: (one: CatalogueMessage) => (void catalogue.receive(one), true) }, message);
  let scans = 0;
  return {
    ...{ cluster, cold, changes, ruled, lines, asking, engine },
    /** As a start with other rules in the settings. */
    settle: (copies: number): void => {
      bySettings = compileRules([], copies);
      ruledBy = String(copies);
      catalogue = make();
    },
    rules: (segments?: readonly string[]): Promise<void> => catalogue.receive({ kind: 'rules', segments }),
    sql: (text: string) => database.all(text),
    rule: (segment: string, document: object): Promise<number> =>
      cluster.put(keys.rule(segment), { segment, sinceMs: 5, ...document }),
    /** Looks through cold storage, to the end. */
    scan: async (): Promise<void> => {
      const failed = (): boolean => lines.some(({ msg }) => msg.includes('could not be listed'));
      const list = cold.list.bind(cold);
      let done = false;
      cold.list = async function* (cursor, signal) {
        yield* list(cursor, signal);
        done = true;
      };
      await catalogue.receive({ kind: 'scan' });
      await eventually(`scan ${String((scans += 1))}`, () => done || failed());
      cold.list = list;
      await catalogue.stop();
    },
    adopt: (): Promise<void> => catalogue.receive({ kind: 'adopt' }),
    /** As after another start of the process. */
    restart: (): void => {
      catalogue = make();
    },
    published: (id: string, changed: Partial<Published> = {}): Promise<void> => {
      const published = { version: 70, sizeBytes: 4, sha256: 'ab', path: '', modifiedMs: 70, ...changed };
      return asking((reply) => ({ kind: 'published', segment: parseSegmentId(id), published, reply }));
    },
    granted: (id: string, schema = 'default'): Promise<void> =>
      asking((reply) => ({ kind: 'granted', segment: parseSegmentId(id), schema, reply })),
    segments: (request: Partial<SegmentsRequest> = {}): Promise<SegmentsAnswer> =>
      asking((reply) => ({ kind: 'segments', request: { limit: 1_000, ...request }, reply })),
    manifest: (slots: readonly SlotRank[], after?: string, limit = 1_000) =>
      asking<{ rows: readonly { id: string }[]; next?: string | undefined }>((reply) => ({
        ...{ kind: 'manifest', slots, after, limit },
        reply: reply as never,
      })),
    async [Symbol.asyncDispose](): Promise<void> {
      await catalogue.stop();
      await database[Symbol.asyncDispose]();
      await engine[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

export function slotsOf(rank: number, ...ids: string[]): SlotRank[] {
  return ids.map((id) => [slotOf(id), rank]);
}
