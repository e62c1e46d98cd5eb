import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { Catalogue, type CatalogueMessage } from '../../../src/actors/leader/catalogue.ts';
import { type CatalogueChange } from '../../../src/actors/leader/catalogue-news.ts';
import { CATALOGUE_MIGRATIONS } from '../../../src/actors/leader/catalogue-tables.ts';
import { ColdCheck, type ColdCheckMessage } from '../../../src/actors/leader/cold-check.ts';
import { type Copies, ColdRepair } from '../../../src/actors/leader/cold-repair.ts';
import { ColdRows } from '../../../src/actors/leader/cold-rows.ts';
import { LocalDirectory } from '../../../src/cold/local-directory.ts';
import { ProcessEngine } from '../../../src/engine/pool.ts';
import { type ColdCheckAnswer, type ColdCheckRequest, type ColdFinding } from '../../../src/messages/cold-check.ts';
import { coldPath } from '../../../src/model/cold-path.ts';
import { parseSegmentId } from '../../../src/model/segment-id.ts';
import { ask, type Reply } from '../../../src/runtime/ask.ts';
import { type Clock, systemClock } from '../../../src/runtime/clock.ts';
import { FakeCluster } from '../../support/fake-cluster.ts';
import { recordingLog } from '../../support/recording-log.ts';
import { tempDir } from '../../support/temp-dir.ts';

const WHOLE: ColdCheckRequest = { read: true, repair: false };

/** A cold storage in a directory, the catalogue of it, and nodes with copies: a check of all that. */
export async function coldCheckScene(clock: Clock = systemClock, rates = { bytes: 1e12, looks: 1e9 }) {
  const dir = await tempDir();
  const root = join(dir.path, 'cold');
  const engine = new ProcessEngine({ nodePath: process.execPath, queryChildren: 1, graceMs: 100 });
  const file = join(dir.path, 'catalogue.sqlite');
  const database = await engine.openDatabase(file, CATALOGUE_MIGRATIONS);
  const cluster = new FakeCluster();
  const cold = new LocalDirectory({ root });
  await cold.probe();
  const changes: CatalogueChange['rows'][number][] = [];
  const { log } = recordingLog();
  const { view } = cluster;
  const shared = { clock: systemClock, database, engine, file, cold, view, log };
  const rule = (): { copies: number; tier: 'hot' } => ({ copies: 2, tier: 'hot' });
  const catalogue = new Catalogue({ ...shared, rule, emit: ({ rows }) => changes.push(...rows) });
  const asking = <T>(message: (reply: Reply<T>) => CatalogueMessage): Promise<T> =>
    ask({ name: 'catalogue', send: (one: CatalogueMessage) => (void catalogue.receive(one), true) }, message);
  /** Copies of nodes: by segment, the node's version and the file. */
  const copies = new Map<string, { node: string; version: number; path: string }[]>();
  const repair = new ColdRepair({
    copiesOf: (id): Promise<Copies> =>
      Promise.resolve((copies.get(id) ?? []).map(({ node, version }) => ({ node, version }))),
    restore: async (node, { segment, modifiedMs }) => {
      const path = copies.get(segment)?.find((copy) => copy.node === node)?.path ?? '';
      const sha256 = shaOf(await readFile(path));
      const { sizeBytes, path: at } = await cold.restore(parseSegmentId(segment), path, { sha256, modifiedMs });
      return { sizeBytes, sha256, path: at };
    },
    published: (segment, published) => asking((reply) => ({ kind: 'published', segment, published, reply })),
    take: async (file) => {
      await cold.learn(file);
      await asking((reply: Reply<void>) => ({ kind: 'take', files: [file], reply }));
    },
    removeLeftover: (leftover) => cold.removeLeftover(leftover),
  });
  const check = new ColdCheck({
    ...{ clock, cold, care: cold, rows: new ColdRows(database), view, repair },
    ...{ bytesPerSecond: rates.bytes, looksPerSecond: rates.looks },
  });
  const stretch = (request: ColdCheckRequest): Promise<ColdCheckAnswer> =>
    ask({ name: 'check', send: (one: ColdCheckMessage) => (void check.receive(one), true) }, (reply) => ({
      kind: 'check' as const,
      request,
      reply,
    }));
  return {
    ...{ cold, copies, changes, cluster, asking, stretch, root },
    at: (path: string) => join(root, path),
    /** A database of a table with these many rows, anywhere under the root. */
    place: async (path: string, rows = 1): Promise<Buffer> => {
      const made = join(dir.path, 'made.sqlite');
      makeDatabase(made, rows);
      await mkdir(dirname(join(root, path)), { recursive: true });
      await rename(made, join(root, path));
      return readFile(join(root, path));
    },
    /** Published by this cluster, with a copy on each of these nodes; its version. */
    publish: async (id: string, nodes: readonly string[] = []): Promise<number> => {
      const [segment, path] = [parseSegmentId(id), join(dir.path, `${id}.copy`)];
      makeDatabase(path, 20);
      const sha256 = shaOf(await readFile(path));
      const { sizeBytes, modifiedMs, path: at } = await cold.publish(segment, path, sha256);
      const published = { version: modifiedMs, sizeBytes, sha256, path: at, modifiedMs };
      await asking((reply) => ({ kind: 'published', segment, published, reply }));
      copies.set(
        id,
        nodes.map((node) => ({ node, version: modifiedMs, path })),
      );
      return modifiedMs;
    },
    lose: (id: string): Promise<void> => rm(join(root, coldPath(parseSegmentId(id)))),
    /** Changed in place by somebody, or something, that leaves no trace in its times. */
    damage: async (id: string, change: (bytes: Buffer) => Buffer): Promise<Buffer> => {
      const path = join(root, coldPath(parseSegmentId(id)));
      // Half a millisecond more: as a fraction of a second it may come out a little less.
      const time = (Math.trunc((await stat(path)).mtimeMs) + 0.5) / 1_000;
      const bytes = change(await readFile(path));
      await writeFile(path, bytes);
      await utimes(path, time, time);
      return bytes;
    },
    /** From the beginning to the end, whatever that takes; what was found, and in how many stretches. */
    check: async (request: Partial<ColdCheckRequest> = {}): Promise<ColdCheckAnswer & { stretches: number }> => {
      const found: ColdFinding[] = [];
      const checked = { segments: 0, files: 0, bytes: 0 };
      let after: string | undefined;
      for (let stretches = 1; ; stretches += 1) {
        const answer = await stretch({ ...WHOLE, ...request, ...(after === undefined ? {} : { after }) });
        found.push(...answer.findings);
        for (const what of ['segments', 'files', 'bytes'] as const) checked[what] += answer.checked[what];
        if (answer.next === undefined) return { findings: found, checked, total: answer.total, stretches };
        after = answer.next;
      }
    },
    [Symbol.asyncDispose]: async (): Promise<void> => {
      await catalogue.stop();
      await database[Symbol.asyncDispose]();
      await engine[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

function makeDatabase(path: string, rows: number): void {
  const database = new Database(path);
  database.exec('begin; create table if not exists t (a)');
  const insert = database.prepare("insert into t values ('some text that takes its room')");
  for (let row = 0; row < rows; row += 1) insert.run();
  database.exec('commit');
  database.close();
}

export function shaOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The same bytes, one of them different. */
export function flipped(bytes: Buffer): Buffer {
  const changed = Buffer.from(bytes);
  const last = changed.length - 1;
  changed.writeUInt8(changed.readUInt8(last) ^ 1, last);
  return changed;
}
