import { expect, test } from 'vitest';
import { provision, provisionAll, readFrom, writeTo } from '../support/api.ts';
import { AppendLoad, LIST } from '../support/append-load.ts';
import { eventually } from '../support/eventually.ts';
import { tempDir } from '../support/temp-dir.ts';
import { threeNodes } from '../support/three-nodes.ts';
import { trough, type TroughRun } from '../support/trough-process.ts';

const SEGMENTS = Array.from({ length: 9 }, (_, index) => `list-${String(index)}`);

async function expectWholeLists(node: TroughRun, loads: readonly AppendLoad[]): Promise<void> {
  for (const { segment, acknowledged } of loads) {
    const rows = await eventually(`${segment} readable`, () =>
      readFrom(node, segment, 'select number from list order by at').catch(() => undefined),
    );
    expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: acknowledged }, (_, number) => number));
  }
}

test('kill -9 of a node under load: its segments go on elsewhere by themselves, with every acknowledged write once and in order', async () => {
  await using cluster = await threeNodes('--journal', 'nats');
  const [first, second, third] = cluster.nodes;
  const holders = await provisionAll(first, SEGMENTS, LIST);
  let nodes: readonly TroughRun[] = [first, second, third];
  const loads = SEGMENTS.map((segment) => new AppendLoad(segment, () => nodes));
  await eventually('writes to each', () => loads.every(({ acknowledged }) => acknowledged > 30), 60_000);

  third.kill('SIGKILL');
  await third.ended;
  nodes = [first, second];
  const lost = loads.filter(({ segment }) => holders.get(segment) === 'n3');
  expect(lost.length).toBeGreaterThan(0);
  const before = new Map(loads.map((load) => [load, load.acknowledged]));
  await eventually(
    'every segment goes on',
    () => loads.every((load) => load.acknowledged > (before.get(load) ?? 0) + 20),
    90_000,
  );
  await Promise.all(loads.map((load) => load.stop()));
  // 12.7 to 13.8 s were seen on two busy cores: 10 s until a silent node is lost, then the claim and the replay.
  for (const { longestMs } of lost) expect(longestMs).toBeLessThan(60_000);
  await expectWholeLists(first, loads);
  await expectWholeLists(second, loads);
});

test('kill -9 of a single node in the middle of writes, again and again: it goes on with every acknowledged write once and in order', async () => {
  await using dir = await tempDir();
  const running: TroughRun[] = [];
  const loads: AppendLoad[] = [];
  for (let round = 0; round < 3; round += 1) {
    await using node = await trough({ data: dir.path, args: ['--journal', 'nats'] });
    if (round === 0) {
      for (const segment of SEGMENTS.slice(0, 3)) {
        await writeTo((await provision(node, segment)).writeUrl, LIST);
        loads.push(new AppendLoad(segment, () => running));
      }
    }
    running.push(node);
    const before = loads.map(({ acknowledged }) => acknowledged);
    await eventually(
      'writes to each',
      () => loads.every(({ acknowledged }, index) => acknowledged > (before[index] ?? 0) + 20),
      60_000,
    );
    if (round < 2) {
      running.pop();
      node.kill('SIGKILL');
      await node.ended;
      continue;
    }
    await Promise.all(loads.map((load) => load.stop()));
    await expectWholeLists(node, loads);
  }
});
