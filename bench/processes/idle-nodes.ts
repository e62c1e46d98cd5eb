/**
 * So many nodes that keep copies and have nothing to do, in one process: each with its own connection, membership, view of the documents and
 * heartbeat, as the program has them. Arguments: server, number. Sends `{url}` to its parent when all are announced; ends with it.
 */
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { QueryObserver } from '../../src/actors/queries/query-observer.ts';
import { type CopierState } from '../../src/actors/copies/copier-state.ts';
import { Repairs } from '../../src/actors/copies/repairs.ts';
import { NatsBus } from '../../src/bus/nats-bus.ts';
import { connectNats } from '../../src/bus/nats-connection.ts';
import { HttpMetrics } from '../../src/http/metrics.ts';
import { nameMatcher } from '../../src/engine/name-matcher.ts';
import { silentLog } from '../../src/log.ts';
import { Assign } from '../../src/messages/node-messages.ts';
import { NatsKv } from '../../src/metadata/nats-kv.ts';
import { hearJson } from '../../src/roles/endpoints.ts';
import { joinCluster } from '../../src/roles/membership.ts';
import { type NodeContext } from '../../src/roles/node-context.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { Supervisor } from '../../src/runtime/supervisor.ts';
import { loadSettings } from '../../src/settings/load.ts';
import { FakeColdStore } from '../../test/support/fake-cold-store.ts';
import { FakeDisk } from '../../test/support/fake-disk.ts';
import { FakeEngine } from '../../test/support/fake-engine.ts';

const AT_A_TIME = 4;
const host = {
  ...{ nodePath: process.execPath, env: {}, hostname: 'bench', pid: process.pid, version: '0' },
  ...{ cores: 1, load: () => 0.1, memoryBytes: 2 ** 30 },
};
const [server = '', count = '0'] = process.argv.slice(2);

/** All copies of whatever placement there is. */
function completeIn(context: NodeContext): CopierState {
  return {
    ...{ pending: 0, pendingBytes: 0, fetched: null, unfetchable: 0, unfetchableOne: undefined, wantedOf: () => null },
    repairs: new Repairs({ node: '', log: silentLog, emit: () => undefined }),
    get complete() {
      const { term, epoch } = context.placement.document ?? {};
      return term === undefined || epoch === undefined ? null : { term, epoch };
    },
  };
}

async function startNode(name: string): Promise<void> {
  const { settings } = await loadSettings({
    host,
    flags: { node: name, role: 'reader,sync-local', nats: server, data: join(tmpdir(), name), quota: '1TB' } as never,
  });
  const base = { settings, host, log: silentLog, clock: systemClock, random: Math.random };
  const supervisor = new Supervisor({ ...base, graceMs: 1_000 });
  const { signal } = new AbortController();
  const link = await connectNats({ servers: [server], name, log: silentLog, signal });
  const store = await NatsKv.open({
    ...{ connection: link.connection, bucket: settings.subjectPrefix, log: silentLog, signal },
  });
  const bus = new NatsBus(link, { log: silentLog, service: { name: settings.subjectPrefix, version: '0.0.0' } });
  const disk = new FakeDisk();
  const { context, announce } = await joinCluster({
    ...base,
    ...{ supervisor, bus, store, signal, disk, natsUrl: server, session: randomUUID() },
    seed: () => '0'.repeat(32),
    queries: new QueryObserver({ clock: systemClock, log: silentLog, slowMs: 1_000 }),
    metrics: new HttpMetrics({ ofProcess: false }),
    ports: { serve: () => ({ url: '' }) },
    cold: new FakeColdStore(disk, Date.now),
    engine: new FakeEngine(disk, systemClock),
    pattern: nameMatcher,
  });
  context.parts.copier = completeIn(context);
  hearJson(bus, context.subjects.assign(name), Assign, silentLog, () => undefined);
  await announce({});
}

const names = Array.from({ length: Number(count) }, (_, index) => `idle-${String(index).padStart(3, '0')}`);
for (let at = 0; at < names.length; at += AT_A_TIME) await Promise.all(names.slice(at, at + AT_A_TIME).map(startNode));
process.send?.({ url: server });
process.on('disconnect', () => process.exit());
