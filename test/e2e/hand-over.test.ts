import { expect, test } from 'vitest';
import { nodesAlive, provision, readFrom, writeTo } from '../support/api.ts';
import { clusterNode } from '../support/cluster-node.ts';
import { AppendLoad } from '../support/append-load.ts';
import { eventually } from '../support/eventually.ts';
import { natsServer } from '../support/nats-server.ts';
import { tempDir } from '../support/temp-dir.ts';
import { clientEnv, type TroughRun, verb } from '../support/trough-process.ts';

const LIST = 'create table list (at integer primary key, number)';
const SEGMENTS = Array.from({ length: 6 }, (_, index) => `list-${String(index)}`);
/** 0.3 to 0.6 s were seen on two busy cores, 4 s on two that had ten times too much to do. */
const MOST_PAUSE_MS = 8_000;

test('a node is stopped, another drained, a segment moved, all under load: no write is lost or doubled, and none waits long', async () => {
  await using nats = await natsServer();
  await using dir = await tempDir();
  const start = clusterNode(nats, dir, ['--journal', 'nats']);
  await using first = await start('n1');
  await using second = await start('n2');
  await using third = await start('n3');
  await nodesAlive(first, 3);
  for (const segment of SEGMENTS) await writeTo((await provision(first, segment)).writeUrl, LIST);
  let nodes: readonly TroughRun[] = [first, second, third];
  const loads = SEGMENTS.map((segment) => new AppendLoad(segment, () => nodes));
  await progress(loads);
  expect(await holdersOf(first)).toContain('n3');

  third.kill('SIGTERM');
  nodes = [first, second];
  await progress(loads);
  expect((await third.ended).code).toBe(0);
  expect(await holdersOf(first)).not.toContain('n3');

  expect((await verb(['drain', 'n2'], { env: clientEnv(first) })).stdout).toMatch(/^n2 is being drained/);
  await eventually('every segment on n1', async () => (await holdersOf(first)).every((node) => node === 'n1'), 60_000);
  await progress(loads);
  await verb(['undrain', 'n2'], { env: clientEnv(first) });

  const [moved = ''] = SEGMENTS;
  const said = await verb(['move-writer', moved, 'n2'], { env: clientEnv(first) });
  expect([said.stdout, said.stderr]).toEqual([`${moved} went from n1 to n2\n`, '']);
  await progress(loads);
  expect((await holdersOf(first))[0]).toBe('n2');

  await Promise.all(loads.map((load) => load.stop()));
  for (const { segment, acknowledged } of loads) {
    const numbers = Array.from({ length: acknowledged }, (_, number) => number);
    for (const node of nodes) {
      const rows = await readFrom(node, segment, 'select number from list order by at');
      expect(rows.map(({ number }) => number)).toEqual(numbers);
    }
  }
  const longestMs = Math.max(...loads.map((load) => load.longestMs));
  expect(longestMs).toBeLessThan(MOST_PAUSE_MS);
}, 240_000);

/** Writes to each go on. */
async function progress(loads: readonly AppendLoad[]): Promise<void> {
  const before = loads.map(({ acknowledged }) => acknowledged);
  const goOn = (): boolean => loads.every(({ acknowledged }, index) => acknowledged > (before[index] ?? 0) + 20);
  await eventually('writes to each', goOn, 60_000);
}

async function holdersOf(node: TroughRun): Promise<string[]> {
  const holders: string[] = [];
  for (const segment of SEGMENTS) {
    const { stdout } = await verb(['where', segment, '--json'], { env: clientEnv(node) });
    const { lease } = JSON.parse(stdout) as { lease: { state: string; node?: string } };
    holders.push(lease.node ?? lease.state);
  }
  return holders;
}
