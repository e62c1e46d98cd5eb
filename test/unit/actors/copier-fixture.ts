import { Copier, type CopierDeps } from '../../../src/actors/copies/copier.ts';
import { Inventory } from '../../../src/actors/copies/inventory.ts';
import { TroughError } from '../../../src/errors.ts';
import { type CopyEvent } from '../../../src/messages/copy-report.ts';
import { type ManifestAnswer, type ManifestRow } from '../../../src/messages/control.ts';
import { type Assign } from '../../../src/messages/node-messages.ts';
import { dataPaths } from '../../../src/model/paths.ts';
import { parseSegmentId } from '../../../src/model/segment-id.ts';
import { FakeCluster } from '../../support/fake-cluster.ts';
import { FakeColdStore, sha256Of } from '../../support/fake-cold-store.ts';
import { FakeDisk } from '../../support/fake-disk.ts';
import { FakeEngine } from '../../support/fake-engine.ts';
import { FakeInventoryDatabase } from '../../support/fake-inventory-database.ts';
import { recordingLog } from '../../support/recording-log.ts';

export const paths = dataPaths('/data');
export const A = parseSegmentId('a');
export const B = parseSegmentId('b');

/** A copier on n1, with a leader whose manifest is what `manifest` says at that moment. */
export async function copying(options: Partial<CopierDeps> = {}) {
  const cluster = new FakeCluster();
  const disk = new FakeDisk();
  const engine = new FakeEngine(disk, cluster.clock);
  const cold = new FakeColdStore(disk, () => cluster.clock.now());
  const database = new FakeInventoryDatabase();
  const inventory = await Inventory.load(database, paths);
  const { log, lines } = recordingLog();
  const leader = {
    rows: [] as ManifestRow[],
    place: { term: 1, epoch: 1, sequence: 0 },
    asked: 0,
    answer(): Promise<ManifestAnswer> {
      return Promise.resolve({ ...this.place, rows: this.rows });
    },
  };
  const named = new Set<string>();
  const placement = { reads: 0 };
  const events: CopyEvent[] = [];
  /** What other nodes pass on, by node and id. */
  const peers = new Map<string, { readonly version: number; readonly content: string }>();
  /** Other nodes that all segments are placed on. */
  const targets: string[] = [];
  const { clock, store } = cluster;
  const copier = new Copier({
    ...{ cold, disk, engine, paths, inventory, clock, log, store },
    random: () => 0,
    node: 'n1',
    parallel: 2,
    evictAfterMs: 60_000,
    emit: (event) => events.push(event),
    peers: {
      holders: () => ['n2', 'n3'],
      targets: () => targets,
      pass: (from, { segment, version }) => {
        const file = peers.get(`${from} ${segment}`);
        if (file?.version !== version) return Promise.reject(new TroughError('SEGMENT_UNKNOWN', 'no such copy'));
        return Promise.resolve({ sha256: sha256Of(file.content), body: piecesOf(file.content) });
      },
    },
    newestElsewhere: (id) => {
      const file = peers.get(`n2 ${id}`);
      if (file === undefined) return Promise.resolve(undefined);
      const { version, content: text } = file;
      return Promise.resolve({ id, version, sizeBytes: text.length, sha256: sha256Of(text) });
    },
    manifest: () => {
      leader.asked += 1;
      return leader.answer();
    },
    namedNow: () => {
      placement.reads += 1;
      return Promise.resolve((segment) => named.has(segment));
    },
    ...options,
  });
  const tick = async (ms = 0): Promise<void> => {
    await clock.advance(ms);
    await copier.receive({ kind: 'tick' });
    await cluster.settle();
  };
  const assign = async (changes: Partial<Assign>): Promise<void> => {
    const base = { term: 1, epoch: 1, sequence: 1, changed: [], shredded: [], unasked: [], more: false };
    await copier.receive({ kind: 'assign', assign: { ...base, ...changes } });
    await cluster.settle();
  };
  /** What cold storage holds, as the leader names it. */
  const row = (id: string, content: string, version: number): ManifestRow => {
    cold.put(id, content, version);
    return { id, version, sizeBytes: content.length, sha256: sha256Of(content) };
  };
  const content = (id: string): string | undefined => disk.files.get(paths.copy(id));
  return {
    cluster,
    disk,
    engine,
    cold,
    database,
    inventory,
    lines,
    log,
    leader,
    named,
    placement,
    copier,
    events,
    peers,
    targets,
    tick,
    assign,
    row,
    content,
  };
}

async function* piecesOf(content: string): AsyncIterable<Uint8Array> {
  yield await Promise.resolve(Buffer.from(content));
}
