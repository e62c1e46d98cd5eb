import { LeaseRegistrar } from '../../../src/actors/leader/lease-registrar.ts';
import { LeaseSweeper } from '../../../src/actors/leader/lease-sweeper.ts';
import { MemoryJournal } from '../../../src/journal/memory-journal.ts';
import { MemoryJournalServer } from '../../../src/journal/memory-journal-server.ts';
import { silentLog } from '../../../src/log.ts';
import {
  type MoveWriterAnswer,
  type PromoteAnswer,
  type ProvisionAnswer,
  type ReleaseAnswer,
  type ShredAnswer,
} from '../../../src/messages/control.ts';
import { type Published } from '../../../src/messages/node-messages.ts';
import { compileRules } from '../../../src/model/segment-rules.ts';
import { ask } from '../../../src/runtime/ask.ts';
import { FakeCluster } from '../../support/fake-cluster.ts';
import { FakeColdStore } from '../../support/fake-cold-store.ts';
import { FakeDisk } from '../../support/fake-disk.ts';
import { FakeNodes } from '../../support/fake-nodes.ts';

export const PUBLISHED: Published = { version: 70, sizeBytes: 5, sha256: 'ab', path: '/cold/s.sqlite', modifiedMs: 70 };

export function registry(...nodes: string[]) {
  return registryWith({ journaled: false }, ...nodes);
}

export async function registryWith({ journaled }: { journaled: boolean }, ...nodes: string[]) {
  const cluster = new FakeCluster();
  const server = journaled ? new MemoryJournalServer({ clock: cluster.clock, streams: 1 }) : undefined;
  const cold = new FakeColdStore(new FakeDisk(), () => cluster.clock.now());
  const peers = new FakeNodes();
  const told: string[] = [];
  const led = { ms: 60_000 };
  const aloneMs = (): number => led.ms;
  const journal = server === undefined ? undefined : new MemoryJournal(server, { clock: server.clock });
  const registrar = new LeaseRegistrar({
    aloneMs,
    clock: cluster.clock,
    log: silentLog,
    view: cluster.view,
    store: cluster.store,
    cold,
    ...(journal === undefined ? {} : { journal }),
    nodes: peers,
    rule: compileRules([{ match: '^old-', tier: 'cold' }], 2),
    news: {
      granted: (segment, schema) => Promise.resolve(void told.push(`granted ${segment} ${schema}`)),
      published: (segment, { version }) => Promise.resolve(void told.push(`published ${segment} ${String(version)}`)),
      shredded: (segment) => Promise.resolve(void told.push(`shredded ${segment}`)),
    },
  });
  const { clock, view, store } = cluster;
  const takeOver = (segment: string): Promise<boolean> => ask(ref, (reply) => ({ kind: 'takeOver', segment, reply }));
  const sweeper = new LeaseSweeper({ clock, view, store, log: silentLog, aloneMs, takeOver });
  const ref = {
    name: registrar.name,
    send: (message: Parameters<LeaseRegistrar['receive']>[0]): boolean => {
      registrar.receive(message);
      return true;
    },
  };
  for (const node of nodes) await cluster.node(node);
  return {
    ...{ cluster, cold, peers, told, registrar, led, server },
    provision: (segment: string, schema?: string): Promise<ProvisionAnswer> =>
      ask(ref, (reply) => ({ kind: 'provision', request: { segment, schema }, reply })),
    promote: (segment: string): Promise<PromoteAnswer> =>
      ask(ref, (reply) => ({ kind: 'promote', request: { segment }, reply })),
    release: (segment: string): Promise<ReleaseAnswer> =>
      ask(ref, (reply) => ({ kind: 'release', request: { segment }, reply })),
    moveWriter: (segment: string, node: string): Promise<MoveWriterAnswer> =>
      ask(ref, (reply) => ({ kind: 'moveWriter', request: { segment, node }, reply })),
    vacate: (segment: string): Promise<void> => ask(ref, (reply) => ({ kind: 'vacate', segment, reply })),
    shred: (segment: string, force = false): Promise<ShredAnswer> =>
      ask(ref, (reply) => ({ kind: 'shred', request: { segment, force }, reply })),
    wanted: async (segment: string): Promise<void> => {
      sweeper.receive({ kind: 'wanted', segment });
      await cluster.settle();
    },
    sweep: async (): Promise<void> => {
      sweeper.receive({ kind: 'tick' });
      await cluster.settle();
    },
  };
}
