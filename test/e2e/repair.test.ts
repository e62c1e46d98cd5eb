import { mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { dataPaths } from '../../src/model/paths.ts';
import { clusterStatus, nodesAlive, provision, readFrom, release, writeTo } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { natsServer } from '../support/nats-server.ts';
import { tempDir } from '../support/temp-dir.ts';
import { clientEnv, trough, type TroughRun, verb } from '../support/trough-process.ts';

const SEGMENTS = ['flipped', 'short', 'gone', 'vanished', 'sound'];
const LONG_MS = 90_000;

test('bits that turned over, files cut short and files that are gone are found and replaced, from cold storage or another node', async () => {
  await using nats = await natsServer();
  await using dir = await tempDir();
  const cold = join(dir.path, 'cold');
  const start = (node: string): Promise<TroughRun & AsyncDisposable> =>
    trough({
      data: join(dir.path, node),
      node,
      args: [
        ...['--nats', nats.url, '--cold', cold, '--copies', '2', '--cold-scan-interval', '1s'],
        ...['--scrub-period', '8s', '--survey-interval', '3s', '--log-level', 'info'],
      ],
    });
  await using first = await start('n1');
  await using second = await start('n2');
  await fill(first);
  const paths = dataPaths(join(dir.path, 'n2'));
  const before = new Map<string, Buffer>();
  for (const segment of SEGMENTS) before.set(segment, await readFile(paths.copy(segment)));

  // A letter in a value: SQLite itself has nothing against it.
  await flip(paths.copy('flipped'), 'precious');
  await writeFile(paths.copy('short'), before.get('short')?.subarray(0, 4_096) ?? '');
  await rm(paths.copy('gone'));
  // Cold storage has lost this one: the only sound copy left is on the other node.
  await rename(await coldFile(cold, 'vanished'), join(dir.path, 'taken-away'));
  await flip(paths.copy('vanished'), 'precious');
  await mkdir(dirname(paths.copy('stranger')), { recursive: true });
  await writeFile(paths.copy('stranger'), 'whatever this is');

  for (const segment of SEGMENTS) {
    await eventually(
      `${segment} is as it was`,
      async () => (await readFile(paths.copy(segment)).catch(() => undefined))?.equals(before.get(segment) as Buffer),
      LONG_MS,
    );
    expect(await readFrom(second, segment, 'select a from t')).toEqual([{ a: `precious ${segment}` }]);
  }
  await eventually(
    'all is well again',
    async () => (await clusterStatus(first)).nodes.every(({ damaged, pending }) => damaged === 0 && pending === 0),
    LONG_MS,
  );
  const metrics = await (await fetch(new URL('/metrics', second.ready.urls.syncLocal))).text();
  expect(metrics).toMatch(/trough_copies_replaced_total\{from="node"\} 1\n/);
  expect(metrics).toMatch(/trough_copies_replaced_total\{from="cold"\} 3\n/);

  const { stdout } = await eventually('the stranger is listed', async () => {
    const said = await verb(['status', 'n2'], { env: clientEnv(first) });
    return said.stdout.includes('lost+found: 1 files on n2 that nobody asked for') ? said : undefined;
  });
  expect(stdout).toContain('stranger.sqlite');
  expect(await readdir(paths.lostCopiesDir)).toHaveLength(1);
});

async function fill(node: TroughRun): Promise<void> {
  await nodesAlive(node, 2);
  for (const segment of SEGMENTS) {
    const { writeUrl } = await provision(node, segment);
    await writeTo(writeUrl, `create table t (a); insert into t values ('precious ${segment}')`);
    await release(node, segment);
  }
  await eventually(
    'two copies of each',
    async () => (await clusterStatus(node)).nodes.every(({ copies }) => copies === SEGMENTS.length),
    LONG_MS,
  );
}

/** Turns over one bit of the first letter of `text`. */
async function flip(file: string, text: string): Promise<void> {
  const at = (await readFile(file)).indexOf(text);
  expect(at).toBeGreaterThan(0);
  const handle = await open(file, 'r+');
  try {
    const letter = Buffer.alloc(1);
    await handle.read(letter, 0, 1, at);
    letter[0] = (letter[0] ?? 0) ^ 1;
    await handle.write(letter, 0, 1, at);
  } finally {
    await handle.close();
  }
}

async function coldFile(cold: string, segment: string): Promise<string> {
  const found = await readdir(cold, { recursive: true });
  const file = found.find((path) => path.endsWith(`/${segment}.sqlite`));
  return join(cold, file ?? '');
}
