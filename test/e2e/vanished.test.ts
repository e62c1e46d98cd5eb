import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { clusterStatus, nodesAlive, provision, readFrom, release, writeTo } from '../support/api.ts';
import { clusterNode } from '../support/cluster-node.ts';
import { eventually } from '../support/eventually.ts';
import { natsServer } from '../support/nats-server.ts';
import { tempDir } from '../support/temp-dir.ts';
import { clientEnv, type TroughRun, verb } from '../support/trough-process.ts';

const LONG_MS = 90_000;

test('a segment whose file vanished from cold storage is made anew from its other copy, and lets a node be drained', async () => {
  await using nats = await natsServer();
  await using dir = await tempDir();
  const start = clusterNode(nats, dir, [
    ...['--copies', '2', '--evict-after', '1s', '--rebuild-after', '10s', '--cold-scan-interval', '1s'],
  ]);
  await using first = await start('n1', '--role', 'reader,writer,sync-master');
  const nodes = new Map<string, TroughRun & AsyncDisposable>();
  for (const name of ['n2', 'n3', 'n4']) nodes.set(name, await start(name, '--role', 'reader,sync-local'));
  try {
    await nodesAlive(first, 4);
    const { writeUrl } = await provision(first, 'gone');
    await writeTo(writeUrl, 'create table t (a); insert into t values (7)');
    await release(first, 'gone');
    await eventually('two copies', async () => (await holders(first)).length === 2, LONG_MS);
    await rm(join(dir.path, 'cold', 'g', 'gone.sqlite'));
    await eventually('the loss to be noticed', () => first.log().includes('vanished from cold storage'), LONG_MS);

    const [killed = '', left = ''] = await holders(first);
    nodes.get(killed)?.kill('SIGKILL');
    await nodes.get(killed)?.ended;
    const healed = await eventually(
      'a copy on the third node',
      async () => {
        const now = (await holders(first)).filter((name) => name !== killed);
        return now.length === 2 && now;
      },
      LONG_MS,
    );
    expect(healed).toContain(left);

    nodes.set(killed, await start(killed, '--role', 'reader,sync-local'));
    await verb(['drain', left], { env: clientEnv(first) });
    await eventually(
      'the other one to be empty',
      async () => (await clusterStatus(first)).nodes.find(({ node }) => node === left)?.drain?.state === 'drained',
      LONG_MS,
    );
    expect((await holders(first)).length).toBe(2);
    expect(await readFrom(first, 'gone', 'select a from t')).toEqual([{ a: 7 }]);
  } finally {
    for (const node of nodes.values()) await node[Symbol.asyncDispose]();
  }
}, 300_000);

async function holders(node: TroughRun): Promise<string[]> {
  const { nodes } = await clusterStatus(node);
  return nodes.filter(({ copies, state }) => copies > 0 && state !== 'lost').map((one) => one.node);
}
