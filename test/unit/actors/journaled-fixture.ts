import { expect } from 'vitest';
import { WriteHost, type WriteHostDeps } from '../../../src/actors/writer/write-host.ts';
import { TroughError } from '../../../src/errors.ts';
import { MemoryJournal, type MemoryJournalOptions } from '../../../src/journal/memory-journal.ts';
import { MemoryJournalServer } from '../../../src/journal/memory-journal-server.ts';
import { decodeRecord, type SegmentRecord } from '../../../src/messages/journal-record.ts';
import { type LeaseDocument } from '../../../src/messages/documents.ts';
import {
  type HandOverAnswer,
  type HolderAnswer,
  type OpenAnswer,
  type PrepareAnswer,
} from '../../../src/messages/node-messages.ts';
import { type WriteAnswer } from '../../../src/messages/writing.ts';
import { dataPaths } from '../../../src/model/paths.ts';
import { parseSegmentId } from '../../../src/model/segment-id.ts';
import { ask } from '../../../src/runtime/ask.ts';
import { FakeCluster, leaseDocument } from '../../support/fake-cluster.ts';
import { FakeColdStore } from '../../support/fake-cold-store.ts';
import { FakeDisk } from '../../support/fake-disk.ts';
import { FakeEngine } from '../../support/fake-engine.ts';
import { FakeNodes } from '../../support/fake-nodes.ts';
import { withMark } from '../../support/marked-content.ts';
import { recordingLog } from '../../support/recording-log.ts';

export const id = parseSegmentId('s');
const key = { stream: '1', name: id };

export function code(name: string) {
  return expect.objectContaining({ code: name }) as unknown;
}

type Options = Partial<WriteHostDeps> & { readonly fate?: MemoryJournalOptions['fate'] };

/** Several nodes on one journal, one cold storage and one metadata store; each starts processes with `process`. */
export function journaledCluster() {
  const cluster = new FakeCluster();
  const disk = new FakeDisk();
  const cold = new FakeColdStore(disk, () => cluster.clock.now());
  const server = new MemoryJournalServer({ clock: cluster.clock, streams: 1 });
  let seeds = 0;

  const process = (node: string, session = `${node}-1`, options: Options = {}) => {
    const { fate, ...changes } = options;
    const engine = new FakeEngine(disk, cluster.clock);
    const journal = new MemoryJournal(server, { clock: cluster.clock, ...(fate === undefined ? {} : { fate }) });
    const paths = dataPaths(`/${node}`);
    const { log, lines } = recordingLog();
    const host = new WriteHost({
      ...{ clock: cluster.clock, view: cluster.view, store: cluster.store },
      ...{ log, engine, cold, disk, paths, journal, peers: new FakeNodes(), nodes: new FakeNodes() },
      self: { node, session },
      confirmed: () => true,
      lapses: () => 1,
      isConnected: () => true,
      news: { tell: () => Promise.resolve() },
      wanted: () => undefined,
      writeDeadlineMs: 1_000,
      stopPatienceMs: 2_000,
      queueLimit: 100,
      seed: () => String((seeds += 1)).padStart(32, '0'),
      promoteAfterMs: 60_000,
      promoteBytes: 1_000_000,
      releaseAfterMs: 600_000,
      leader: { promote: () => Promise.resolve(), release: () => Promise.resolve() },
      ...changes,
    });
    const ref = {
      name: host.name,
      send: (message: Parameters<WriteHost['receive']>[0]): boolean => {
        host.receive(message);
        return true;
      },
    };
    const open = async (from: Partial<LeaseDocument> = {}, hasBase = false, schemaSql = ''): Promise<OpenAnswer> => {
      const lease = { node, session, stream: key.stream, ...from };
      return openAs(lease, await cluster.lease(id, lease), hasBase, schemaSql);
    };
    /** With a lease that may be old. */
    const openAs = (
      from: Partial<LeaseDocument>,
      revision = 1,
      hasBase = true,
      schemaSql = '',
    ): Promise<OpenAnswer> => {
      const lease = leaseDocument(id, from);
      return ask(ref, (reply) => ({ kind: 'open', request: { lease, revision, schemaSql, hasBase }, reply }));
    };
    const holder = async (kind: 'promote' | 'close', discard = false): Promise<HolderAnswer> => {
      const epoch = (await cluster.leaseOf(id))?.epoch ?? 0;
      return ask(ref, (reply) => ({ kind, request: { segment: id, epoch, discard }, reply }));
    };
    const write = (sql: string, requestId?: string, onlyHere = true): Promise<WriteAnswer> => {
      const call = { segment: id, request: { kind: 'script', sql }, onlyHere, requestId } as const;
      return ask(ref, (reply) => ({ kind: 'write', call, reply }));
    };
    const handOver = async (to: string): Promise<HandOverAnswer> => {
      const epoch = (await cluster.leaseOf(id))?.epoch ?? 0;
      const request = { segment: id, epoch, to: { node: to, session: `${to}-1` } };
      return ask(ref, (reply) => ({ kind: 'handOver', request, reply }));
    };
    const prepare = (lease: LeaseDocument): Promise<PrepareAnswer> =>
      ask(ref, (reply) => ({ kind: 'prepare', request: { lease }, reply }));
    const leave = (): Promise<void> => ask(ref, (reply) => ({ kind: 'leave', reply }));
    const tick = async (): Promise<void> => {
      host.receive({ kind: 'tick' });
      await cluster.settle();
    };
    const reclaim = async (): Promise<void> => {
      host.receive({ kind: 'reclaim' });
      await cluster.settle();
    };
    /** What is committed, without the mark. */
    const content = (): string => withMark(disk.files.get(paths.hot(id)) ?? '', 0);
    return {
      host,
      engine,
      journal,
      paths,
      lines,
      open,
      openAs,
      holder,
      handOver,
      prepare,
      leave,
      write,
      tick,
      reclaim,
      content,
    };
  };

  /** What the journal has of the segment. */
  const records = (): SegmentRecord[] =>
    server.range(key, 0, Number.MAX_SAFE_INTEGER, 1_000).map(({ body }) => decodeRecord(body));
  const kinds = (): string[] => records().map(({ kind }) => kind);
  return { cluster, disk, cold, server, process, records, kinds };
}

/** As the leader gives the lease of one node to another. */
export async function moveLease(cluster: FakeCluster, to: string): Promise<Partial<LeaseDocument>> {
  const lease = await cluster.leaseOf(id);
  if (lease === undefined) throw new TroughError('INTERNAL', 'there is no lease');
  return { ...lease, node: to, session: `${to}-1`, epoch: lease.epoch + 1 };
}
