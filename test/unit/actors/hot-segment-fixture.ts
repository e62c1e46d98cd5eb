import { DiskReserve } from '../../../src/actors/writer/disk-reserve.ts';
import { HeldLease } from '../../../src/actors/writer/held-lease.ts';
import { HotSegment } from '../../../src/actors/writer/hot-segment.ts';
import { PurgeList } from '../../../src/actors/writer/purge-list.ts';
import { type Written } from '../../../src/actors/writer/write-queue.ts';
import { silentLog } from '../../../src/log.ts';
import { dataPaths } from '../../../src/model/paths.ts';
import { parseSegmentId } from '../../../src/model/segment-id.ts';
import { FakeCluster, leaseDocument } from '../../support/fake-cluster.ts';
import { FakeColdStore } from '../../support/fake-cold-store.ts';
import { FakeDisk } from '../../support/fake-disk.ts';
import { FakeEngine } from '../../support/fake-engine.ts';
import { STAMP } from '../../support/stamped.ts';

export const id = parseSegmentId('crawl-1');
const paths = dataPaths('/data');

/** A segment that is open on n1, made from an empty schema. */
export async function openSegment(
  options: { queueLimit?: number; confirmed?: () => boolean; lapses?: () => number } = {},
) {
  const cluster = new FakeCluster();
  const disk = new FakeDisk();
  const engine = new FakeEngine(disk, cluster.clock);
  const cold = new FakeColdStore(disk, () => cluster.clock.now());
  const document = leaseDocument(id);
  const revision = await cluster.lease(id);
  const held = {
    store: cluster.store,
    clock: cluster.clock,
    confirmed: options.confirmed ?? (() => true),
    lapses: options.lapses ?? (() => 1),
    isConnected: () => true,
    news: { tell: () => Promise.resolve() },
  };
  const lease = new HeldLease(held, document, revision, undefined);
  const session = await engine.openWriter({ segment: id, file: paths.hot(id), schemaSql: '' });
  const deps = {
    engine,
    cold,
    disk,
    paths,
    clock: cluster.clock,
    log: silentLog,
    seed: () => STAMP.seed,
    promoteBytes: 1_000_000,
  };
  const purges = new PurgeList(deps);
  const failed = (): void => undefined;
  const hot = new HotSegment(
    id,
    lease,
    { session },
    { ...deps, purges, failed, reserve: new DiskReserve(deps), queueLimit: options.queueLimit ?? 100 },
  );
  const write = (sql: string, deadlineMs = 1_000): Promise<Written> => hot.write({ kind: 'script', sql }, deadlineMs);
  return { cluster, disk, engine, cold, hot, write, committed: () => disk.files.get(paths.hot(id)) };
}
