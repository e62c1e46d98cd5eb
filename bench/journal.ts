/** What the journal costs: appends and replay, on one server and on three, beside a loop of fsyncs and better-sqlite3 in a loop. */
import { type JetStreamJournal } from '../src/journal/jetstream/jetstream-journal.ts';
import { connectJournal, newPrefix } from '../test/support/nats-journal.ts';
import { natsCluster } from '../test/support/nats-cluster.ts';
import { natsServer } from '../test/support/nats-server.ts';
import { tempDir } from '../test/support/temp-dir.ts';
import { appendRate, newKeys, replayRate } from './journal/appends.ts';
import { fsyncLoop, sqliteLoop } from './support/durable-loops.ts';
import { conditions } from './support/conditions.ts';
import { planFrom, positive } from './support/plan.ts';
import { shown } from './support/samples.ts';
import { say } from './support/say.ts';

const BYTES = 300;
const plan = planFrom(process.env);
const seconds = Math.min(plan.seconds, 3);
const records = positive(process.env, 'BENCH_REPLAY', 20_000);
say(conditions({ troughArgs: [] })[0] ?? '');

await using temp = await tempDir();
const plainFsync = fsyncLoop(temp.path, BYTES, seconds);
const plainDelete = sqliteLoop(temp.path, 'DELETE', BYTES, seconds);
const plainWal = sqliteLoop(temp.path, 'WAL', BYTES, seconds);
say(`records of ${String(BYTES)} bytes, sync always; ratios to the loops of this run, one client to a key`);
say(
  '| what | per second | p50 / p99 ms | x fsync | x sqlite DELETE | x sqlite WAL |\n| --- | --- | --- | --- | --- | --- |',
);
row('append and fsync in a loop', plainFsync);
row('better-sqlite3, DELETE, FULL', plainDelete);
row('better-sqlite3, WAL, FULL', plainWal);
{
  await using server = await natsServer();
  await measure('one server', [server.url]);
}
{
  await using cluster = await natsCluster();
  await measure('three servers', cluster.urls);
}

async function measure(where: string, servers: readonly string[]): Promise<void> {
  for (const [clients, streams] of [
    [1, 4],
    [64, 1],
    [64, 4],
    [1_024, 4],
  ] as const) {
    await using at = await connectJournal(servers, { prefix: newPrefix(), streams, streamLimitBytes: 2_000_000_000 });
    await warmUp(at.journal);
    const rate = await appendRate(at.journal, newKeys(at.journal, clients), BYTES, seconds);
    const what = `${where}: append, ${shown(clients)} keys, ${String(streams)} streams`;
    row(what, rate.perSecond, `${rate.p50Ms.toFixed(2)} / ${rate.p99Ms.toFixed(2)}`);
  }
  await using at = await connectJournal(servers, { prefix: newPrefix(), streamLimitBytes: 2_000_000_000 });
  row(`${where}: replay of ${shown(records)}`, await replayRate(at.journal, records, BYTES));
}

/** Streams of three need a moment for their leaders. */
async function warmUp(journal: JetStreamJournal): Promise<void> {
  await appendRate(journal, newKeys(journal, 16), BYTES, 0.3);
}

function row(what: string, perSecond: number, times = ''): void {
  const ratios = [plainFsync, plainDelete, plainWal].map((plain) => (perSecond / plain).toFixed(2));
  say(`| ${[what, shown(perSecond), times, ...ratios].join(' | ')} |`);
}
