import { setTimeout as pause } from 'node:timers/promises';
import { type NatsConnection, connect } from 'nats';
import { provisionAll } from '../../test/support/api.ts';
import { LIST } from '../../test/support/append-load.ts';
import { natsCluster } from '../../test/support/nats-cluster.ts';
import { natsServer } from '../../test/support/nats-server.ts';
import { takeoverCluster } from './cluster.ts';
import { Pauses } from './pauses.ts';

const SEGMENTS = Array.from({ length: 12 }, (_, index) => `list-${String(index)}`);
const NODES = ['n1', 'n2', 'n3'];
/** Between two events: beats have been heard, and what was moved rests. */
const SETTLE_MS = 4_000;

/** Longest pause of any write, ms, for each time that a node was ended by `signal`, under load, and started again. The nodes take turns. */
export async function measureEnds(signal: 'SIGKILL' | 'SIGTERM', times: number): Promise<readonly number[]> {
  await using nats = await natsServer();
  await using cluster = await takeoverCluster(nats.url);
  for (const name of NODES) await cluster.start(name);
  const [first] = cluster.nodes();
  if (first === undefined) throw new Error('no node');
  await provisionAll(first, SEGMENTS, LIST);
  await using pauses = new Pauses(SEGMENTS, cluster.nodes);
  const found: number[] = [];
  for (let round = 0; found.length < times; round += 1) {
    const name = NODES[round % NODES.length] ?? '';
    // Nothing is taken over from a node that has come back and was given nothing yet.
    if (((await cluster.leases()).get(name) ?? 0) > 0)
      found.push(await pauses.longestDuring(() => cluster.end(name, signal)));
    else await cluster.end(name, 'SIGTERM');
    await cluster.start(name);
    await pause(SETTLE_MS);
  }
  return found;
}

/** The same for the nats-server that leads the journal's first stream, of three, killed and started again. */
export async function measureServerKills(times: number): Promise<readonly number[]> {
  await using nats = await natsCluster();
  await using cluster = await takeoverCluster(nats.urls.join(','));
  for (const name of NODES) await cluster.start(name);
  const [first] = cluster.nodes();
  if (first === undefined) throw new Error('no node');
  await provisionAll(first, SEGMENTS, LIST);
  const connection = await connect({ servers: [...nats.urls], maxReconnectAttempts: -1, reconnectTimeWait: 100 });
  try {
    const stream = await aStream(connection);
    await using pauses = new Pauses(SEGMENTS, cluster.nodes);
    const found: number[] = [];
    while (found.length < times) {
      const leader = await nats.leaderOf(connection, stream);
      found.push(await pauses.longestDuring(() => leader.kill()));
      await leader.restart();
      await pause(SETTLE_MS);
    }
    return found;
  } finally {
    await connection.close();
  }
}

async function aStream(connection: NatsConnection): Promise<string> {
  const answer = await connection.request('$JS.API.STREAM.NAMES', '', { timeout: 5_000 });
  const { streams } = answer.json<{ streams: readonly string[] | null }>();
  const journal = streams?.find((name) => name.includes('journal'));
  if (journal === undefined) throw new Error(`no journal among the streams ${String(streams)}`);
  return journal;
}
