import Database from 'better-sqlite3';
import { connect, type NatsConnection } from 'nats';
import { CATALOGUE_MIGRATIONS } from '../../src/actors/leader/catalogue-tables.ts';
import { dataPaths } from '../../src/model/paths.ts';
import { slotOf } from '../../src/model/slot.ts';
import { clusterStatus } from '../../test/support/api.ts';
import { natsServer } from '../../test/support/nats-server.ts';
import { tempDir } from '../../test/support/temp-dir.ts';
import { trough } from '../../test/support/trough-process.ts';
import { type CountingProxy, countingProxy } from '../support/counting-proxy.ts';
import { fill } from '../support/dataset.ts';
import { say } from '../support/say.ts';
import { sideProcess } from '../support/side-process.ts';
import { usageOf } from '../support/usage.ts';

const NODES = 99;
const SETTLE_MS = 20_000;
const TRAFFIC_LIMIT = 100_000;
const CPU_LIMIT = 0.05;
/** The original: one row for each copy, each two minutes; as measured, with 1.5 million segments. */
const ORIGINAL_UPDATES = 12_500;

/**
 * A real leader with so many segments in its catalogue, 99 nodes at rest beside it, a real nats-server between them. Cold storage cannot be reached, so that the
 * catalogue stays as it was made: listing it is not control traffic, and has its own figure.
 */
export async function measureTraffic(segments: number, seconds: number): Promise<readonly string[]> {
  await using dir = await tempDir();
  fillCatalogue(dataPaths(dir.path).catalogue, segments);
  await using nats = await natsServer();
  await using toLeader = await countingProxy(nats.url);
  await using toNodes = await countingProxy(nats.url);
  const role = ['--role', 'sync-master', '--nats', toLeader.url, '--log-level', 'silent'];
  const args = [...role, '--cold', 'webhdfs://127.0.0.1:1/none'];
  await using leader = await trough({ data: dir.path, node: 'leader', args });
  await using nodes = await sideProcess('idle-nodes', toNodes.url, String(NODES));
  await pause(SETTLE_MS);
  const status = await clusterStatus(leader);
  if (nodes.pid === 0) throw new Error('the nodes have ended');
  const alive = status.nodes.filter(({ state }) => state === 'alive').length;
  if (alive !== NODES + 1) throw new Error(`${String(alive)} of ${String(NODES + 1)} nodes are alive`);
  const observer = await connect({ servers: nats.url });
  const rates = await measure({ pid: leader.pid, toLeader, toNodes, observer }, seconds);
  await observer.close();
  return report(rates, status.segments.hot);
}

/** Of one second; `cpu`: seconds of one core. */
interface Rates {
  readonly seconds: number;
  readonly sent: number;
  readonly received: number;
  readonly toOthers: number;
  readonly fromOthers: number;
  readonly cpu: number;
  readonly rssMiB: number;
  /** Records that anybody stored. */
  readonly stored: number;
}

interface Watched {
  readonly pid: number;
  readonly toLeader: CountingProxy;
  readonly toNodes: CountingProxy;
  readonly observer: NatsConnection;
}

async function measure({ pid, toLeader, toNodes, observer }: Watched, seconds: number): Promise<Rates> {
  const look = async (): Promise<Rates> => {
    const { cpuSeconds, rssMiB } = await usageOf(pid);
    const { sent, received } = toLeader;
    const [fromOthers, toOthers] = [toNodes.sent, toNodes.received];
    const stored = await recordsOf(observer);
    return {
      sent,
      received,
      fromOthers,
      toOthers,
      cpu: cpuSeconds,
      rssMiB,
      stored,
      seconds: performance.now() / 1_000,
    };
  };
  const before = await look();
  await pause(seconds * 1_000);
  const after = await look();
  const elapsed = after.seconds - before.seconds;
  return {
    seconds: elapsed,
    sent: (after.sent - before.sent) / elapsed,
    received: (after.received - before.received) / elapsed,
    toOthers: (after.toOthers - before.toOthers) / elapsed,
    fromOthers: (after.fromOthers - before.fromOthers) / elapsed,
    cpu: (after.cpu - before.cpu) / elapsed,
    stored: (after.stored - before.stored) / elapsed,
    rssMiB: after.rssMiB,
  };
}

/** How many records all streams of the server have taken in. */
async function recordsOf(observer: NatsConnection): Promise<number> {
  const manager = await observer.jetstreamManager();
  let records = 0;
  for await (const { state } of manager.streams.list()) records += state.last_seq;
  return records;
}

function report(rates: Rates, segments: number): string[] {
  const { seconds, sent, received, toOthers, fromOthers, cpu, rssMiB, stored } = rates;
  const shown = (bytes: number): string => `${(bytes / 1_000).toFixed(1)} KB/s`;
  const percent = `${(cpu * 100).toFixed(1)} %`;
  say(
    `  at rest: ${String(NODES + 1)} nodes, ${segments.toLocaleString('en-US')} segments, over ${seconds.toFixed(0)} s:`,
  );
  say(
    `    the leader sends ${shown(sent)} and receives ${shown(received)}, takes ${percent} of one core and ${rssMiB.toFixed(0)} MiB`,
  );
  say(`    the other nodes send ${shown(fromOthers)} together and receive ${shown(toOthers)}: each hears all beats`);
  say(`    stored: ${stored.toFixed(1)} records a second, the renewals of who leads; the catalogue is not written`);
  say(
    `    the original at 1.5 million segments: ${ORIGINAL_UPDATES.toLocaleString('en-US')} row updates a second, one of each copy in two minutes`,
  );
  const failures: string[] = [];
  if (sent + received > TRAFFIC_LIMIT) failures.push(`control traffic of the leader: ${shown(sent + received)}`);
  if (cpu > CPU_LIMIT) failures.push(`the leader takes ${percent} of a core at rest`);
  return failures;
}

function fillCatalogue(file: string, segments: number): void {
  const insert =
    'insert into segment (id, slot, tier, copies, version, size_bytes, modified_ms) values (?, ?, ?, ?, ?, ?, ?)';
  fill(file, CATALOGUE_MIGRATIONS, insert, segments, (index) => {
    const id = `crawl-${String(index).padStart(9, '0')}`;
    return [id, slotOf(id), 'hot', 2, 1.79e12 + index, 20_480, 1.79e12 + index];
  });
  // As after a first listing: without it nothing is balanced by bytes.
  const database = new Database(file);
  database.exec('insert into listed values (1, 1790000000000)');
  database.close();
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
