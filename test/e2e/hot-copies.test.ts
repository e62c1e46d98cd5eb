import { expect, test } from 'vitest';
import { nodesAlive, provision, readFrom, release, writeTo } from '../support/api.ts';
import { clusterNode } from '../support/cluster-node.ts';
import { eventually } from '../support/eventually.ts';
import { natsServer } from '../support/nats-server.ts';
import { tempDir } from '../support/temp-dir.ts';
import { clientEnv, verb } from '../support/trough-process.ts';

const LONG_MS = 120_000;

test('a segment that is read far more than others gets more copies by itself, which answer too', async () => {
  await using nats = await natsServer();
  await using dir = await tempDir();
  const start = clusterNode(nats, dir, ['--copies', '1', '--hot-reads', '5', '--hot-copies', '2']);
  await using first = await start('n1', '--role', 'reader,writer,sync-master');
  await using second = await start('n2', '--role', 'reader,sync-local');
  await using third = await start('n3', '--role', 'reader,sync-local');
  await nodesAlive(first, 3);
  for (const segment of ['busy', 'calm']) {
    const { writeUrl } = await provision(first, segment);
    await writeTo(writeUrl, 'create table t (a); insert into t values (7)');
    await release(first, segment);
  }
  const read = (): Promise<unknown> => readFrom(first, 'busy', 'select a from t');
  const served = async (segment: string): Promise<string[]> => {
    const { stdout } = await verb(['where', segment, '--json'], { env: clientEnv(first) });
    const { nodes } = JSON.parse(stdout) as { nodes: { node: string; served: boolean }[] };
    return nodes.filter((one) => one.served).map(({ node }) => node);
  };
  await eventually(
    'a second copy',
    async () => {
      for (let many = 0; many < 20; many += 1) await read();
      return (await served('busy')).length === 2;
    },
    LONG_MS,
  );
  expect(await served('calm')).toHaveLength(1);
  expect((await verb(['rule', 'list'], { env: clientEnv(first) })).stdout).toMatch(
    /busy +2 +hot +hot, 1 +2 +read very much since/,
  );
  for (let many = 0; many < 40; many += 1) await read();
  for (const { ready } of [second, third]) {
    const answer = await fetch(new URL('v1/segments/busy/stats', ready.urls.read));
    expect(((await answer.json()) as { queries: number }).queries).toBeGreaterThan(0);
  }
}, 240_000);
