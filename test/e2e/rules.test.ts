import { expect, test } from 'vitest';
import { clusterStatus, nodesAlive, provision, readFrom, release, writeTo } from '../support/api.ts';
import { clusterNode } from '../support/cluster-node.ts';
import { eventually } from '../support/eventually.ts';
import { natsServer } from '../support/nats-server.ts';
import { tempDir } from '../support/temp-dir.ts';
import { clientEnv, type TroughRun, verb } from '../support/trough-process.ts';

const LONG_MS = 60_000;

interface Where {
  readonly copies: number;
  readonly rule?: { readonly copies: number | null };
  readonly nodes: readonly { readonly node: string; readonly served: boolean }[];
}

test('a rule gives one segment copies or a tier of its own, outlives leaders and restarts, and is taken back', async () => {
  await using nats = await natsServer();
  await using dir = await tempDir();
  const start = clusterNode(nats, dir, ['--copies', '1', '--evict-after', '1s']);
  await using first = await start('n1');
  await using second = await start('n2');
  const third = await start('n3');
  await nodesAlive(first, 3);
  for (const segment of ['hub', 'other']) {
    const { writeUrl } = await provision(first, segment);
    await writeTo(writeUrl, 'create table t (a); insert into t values (7)');
    await release(first, segment);
  }
  await eventually('a copy of each', () => totalIs(first, 2), LONG_MS);

  const refused = await rule(first, 'set', 'hub', '--copies', '4');
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('4 copies need 4 nodes') as string]);
  expect((await rule(first, 'set', 'nosuch', '--copies', '2')).stderr).toContain("there is no segment 'nosuch'");
  expect((await rule(first, 'set', 'hub', '--copies', '3')).stdout).toBe(
    'hub: tier hot, 3 copies (the settings say hot, 1)\n',
  );
  await eventually('three copies that serve', async () => (await served(first, 'hub')) === 3, LONG_MS);
  expect((await where(first, 'hub')).rule?.copies).toBe(3);
  expect(await served(first, 'other')).toBe(1);
  const sql = 'select s.id, s.copies, r.copies ruled from segments s join rules r on r.id = s.id';
  await eventually(
    'the catalogue to have it',
    async () => JSON.stringify(await readFrom(second, '_catalogue', sql)) === '[{"id":"hub","copies":3,"ruled":3}]',
    LONG_MS,
  );

  third.kill('SIGKILL');
  await third.ended;
  await using again = await start('n3');
  await eventually('all three again', async () => (await served(again, 'hub')) === 3, LONG_MS);
  expect(await readFrom(again, 'hub', 'select a from t')).toEqual([{ a: 7 }]);

  expect((await rule(second, 'remove', 'hub')).stdout).toBe('hub is as the settings say again\n');
  await eventually('a copy of each', () => totalIs(first, 2), LONG_MS);
  expect((await rule(second, 'list')).stdout).toBe('');
  expect(await served(first, 'hub')).toBe(1);

  await rule(first, 'set', 'hub', '--tier', 'cold');
  await eventually('no copy of it', () => totalIs(first, 1), LONG_MS);
  expect(await readFrom(second, 'hub', 'select a from t')).toEqual([{ a: 7 }]);
  await expect(provision(first, 'hub')).rejects.toThrow();
}, 240_000);

function rule(node: TroughRun, ...args: readonly string[]): ReturnType<typeof verb> {
  return verb(['rule', ...args], { env: clientEnv(node) });
}

async function where(node: TroughRun, segment: string): Promise<Where> {
  const { stdout } = await verb(['where', segment, '--json'], { env: clientEnv(node) });
  return JSON.parse(stdout) as Where;
}

async function served(node: TroughRun, segment: string): Promise<number> {
  return (await where(node, segment)).nodes.filter((one) => one.served).length;
}

async function totalIs(node: TroughRun, copies: number): Promise<boolean> {
  const { nodes } = await clusterStatus(node);
  return nodes.reduce((sum, one) => sum + one.copies, 0) === copies;
}
