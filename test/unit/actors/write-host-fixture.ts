import { WriteHost, type WriteHostDeps } from '../../../src/actors/writer/write-host.ts';
import { type LeaseDocument } from '../../../src/messages/documents.ts';
import { type HolderAnswer, type OpenAnswer } from '../../../src/messages/node-messages.ts';
import { type WriteAnswer } from '../../../src/messages/writing.ts';
import { dataPaths } from '../../../src/model/paths.ts';
import { parseSegmentId } from '../../../src/model/segment-id.ts';
import { ask } from '../../../src/runtime/ask.ts';
import { FakeCluster, leaseDocument } from '../../support/fake-cluster.ts';
import { FakeColdStore } from '../../support/fake-cold-store.ts';
import { FakeDisk } from '../../support/fake-disk.ts';
import { FakeEngine } from '../../support/fake-engine.ts';
import { FakeNodes } from '../../support/fake-nodes.ts';
import { recordingLog } from '../../support/recording-log.ts';
import { STAMP } from '../../support/stamped.ts';

export const id = parseSegmentId('s');
export const paths = dataPaths('/data');

/** The write host of node n1 in session n1-1. */
export function writeHost(options: Partial<WriteHostDeps> = {}) {
  const cluster = new FakeCluster();
  const disk = new FakeDisk();
  const engine = new FakeEngine(disk, cluster.clock);
  const cold = new FakeColdStore(disk, () => cluster.clock.now());
  const peers = new FakeNodes();
  const { log, lines } = recordingLog();
  const asked: string[] = [];
  const host = new WriteHost({
    ...{ clock: cluster.clock, view: cluster.view, store: cluster.store },
    ...{ log, engine, cold, disk, paths, peers, nodes: peers },
    self: { node: 'n1', session: 'n1-1' },
    confirmed: () => true,
    lapses: () => 1,
    isConnected: () => true,
    news: { tell: () => Promise.resolve() },
    wanted: (segment) => asked.push(`take over ${segment}`),
    writeDeadlineMs: 1_000,
    stopPatienceMs: 2_000,
    queueLimit: 100,
    seed: () => STAMP.seed,
    promoteAfterMs: 60_000,
    promoteBytes: 1_000_000,
    releaseAfterMs: 600_000,
    leader: {
      promote: (segment) => Promise.resolve(asked.push(`promote ${segment}`)),
      release: (segment) => Promise.resolve(asked.push(`release ${segment}`)),
    },
    ...options,
  });
  const ref = {
    name: host.name,
    send: (message: Parameters<WriteHost['receive']>[0]): boolean => {
      host.receive(message);
      return true;
    },
  };
  const open = async (from: Partial<LeaseDocument> = {}, hasBase = false, schemaSql = ''): Promise<OpenAnswer> => {
    const lease = leaseDocument(id, from);
    const revision = await cluster.lease(id, from);
    return ask(ref, (reply) => ({ kind: 'open', request: { lease, revision, schemaSql, hasBase }, reply }));
  };
  const holder = (kind: 'promote' | 'close', epoch = 1, discard = false): Promise<HolderAnswer> =>
    ask(ref, (reply) => ({ kind, request: { segment: id, epoch, discard }, reply }));
  const write = (sql: string, changes: { onlyHere?: boolean; deadlineMs?: number } = {}): Promise<WriteAnswer> => {
    const call = { segment: id, request: { kind: 'script', sql }, onlyHere: false, ...changes } as const;
    return ask(ref, (reply) => ({ kind: 'write', call, reply }));
  };
  const hear = (): void => {
    const lease = cluster.view.lease(id);
    if (lease !== undefined) host.receive({ kind: 'lease', lease });
  };
  const content = (): string | undefined => disk.files.get(paths.hot(id));
  return { cluster, disk, engine, cold, peers, lines, asked, host, ref, open, holder, write, hear, content };
}
