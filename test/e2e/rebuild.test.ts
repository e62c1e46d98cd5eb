import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'nats';
import { expect, test } from 'vitest';
import { nodesAlive, promote, provision, readFrom, release, writeTo } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { natsServer } from '../support/nats-server.ts';
import { tempDir } from '../support/temp-dir.ts';
import { clientEnv, trough, type TroughRun, verb } from '../support/trough-process.ts';

const TEST_MS = 240_000;
const LONG_MS = 90_000;
const TABLE = 'create table list (number)';

type Node = TroughRun & AsyncDisposable;

/** What each segment has to have in it, by what was acknowledged. */
class Lists {
  readonly numbers = new Map<string, number[]>();

  async make(node: TroughRun, segment: string, schema?: string): Promise<void> {
    const { writeUrl } =
      schema === undefined ? await provision(node, segment) : await provisionBy(node, segment, schema);
    if (schema === undefined) await writeTo(writeUrl, TABLE);
    this.numbers.set(segment, []);
    await this.add(node, segment);
  }

  async add(node: TroughRun, segment: string): Promise<void> {
    const { writeUrl } = await provision(node, segment);
    const numbers = this.numbers.get(segment) ?? [];
    await writeTo(writeUrl, `insert into list values (${String(numbers.length)})`);
    this.numbers.set(segment, [...numbers, numbers.length]);
  }

  async expectAll(node: TroughRun): Promise<void> {
    for (const [segment, numbers] of this.numbers) {
      const rows = await eventually(`${segment} on ${node.ready.node}`, () => rowsOf(node, segment), LONG_MS);
      expect([segment, rows.map(({ number }) => number)]).toEqual([segment, numbers]);
    }
  }
}

function rowsOf(node: TroughRun, segment: string): Promise<Record<string, unknown>[] | undefined> {
  return readFrom(node, segment, 'select number from list order by number').catch(() => undefined);
}

async function provisionBy({ ready }: TroughRun, segment: string, schema: string): Promise<{ writeUrl: string }> {
  const url = new URL(`v1/segments/${segment}/provision`, ready.urls.syncMaster);
  const answer = await fetch(url, { method: 'POST', body: JSON.stringify({ schema }) });
  if (!answer.ok) throw new Error(await answer.text());
  return (await answer.json()) as { writeUrl: string };
}

async function killAll(nodes: readonly Node[]): Promise<void> {
  for (const node of nodes) node.kill('SIGKILL');
  await Promise.all(nodes.map(({ ended }) => ended));
}

function rebuild(node: TroughRun, ...args: string[]): ReturnType<typeof verb> {
  return verb(['rebuild', ...args], { env: clientEnv(node) });
}

/** Everything that a data directory has of segments that were open for writing. */
async function hotFiles(data: string): Promise<string[]> {
  const names = await readdir(`${data}/hot`, { recursive: true });
  return names.filter((name) => name.endsWith('.sqlite')).sort();
}

test(
  'a lost metadata store: nothing is granted or taken away, until a rebuild brings back every acknowledged write',
  { timeout: TEST_MS },
  async () => {
    await using dir = await tempDir();
    const lists = new Lists();
    const start = (node: string, nats: string): Promise<Node> =>
      trough({
        data: `${dir.path}/${node}`,
        node,
        args: ['--nats', nats, '--cold', `${dir.path}/cold`, '--copies', '2', '--evict-after', '1s'],
      });
    const names = ['n1', 'n2', 'n3'];
    const hot = new Map<string, string[]>();
    {
      await using nats = await natsServer();
      const nodes = await Promise.all(names.map((name) => start(name, nats.url)));
      await using first = nodes[0] as Node;
      await nodesAlive(first, 3);
      for (let at = 0; at < 4; at += 1) {
        await lists.make(first, `published-${String(at)}`);
        await release(first, `published-${String(at)}`);
        await lists.make(first, `ahead-${String(at)}`);
        await promote(first, `ahead-${String(at)}`);
        await lists.add(first, `ahead-${String(at)}`);
        await lists.make(first, `fresh-${String(at)}`);
        await lists.make(first, `clean-${String(at)}`);
        await promote(first, `clean-${String(at)}`);
      }
      await lists.make(first, 'gone');
      await release(first, 'gone');
      await verb(['shred', 'gone'], { env: clientEnv(first) });
      lists.numbers.delete('gone');
      await killAll(nodes);
      for (const name of names) hot.set(name, await hotFiles(`${dir.path}/${name}`));
    }
    expect([...hot.values()].flat().length).toBe(12);

    await using nats = await natsServer();
    await using first = await start('n1', nats.url);
    await using second = await start('n2', nats.url);
    {
      // The third is away: what it has is taken in when it is back.
      await nodesAlive(first, 2);
      await expect(provision(first, 'fresh-0')).rejects.toThrow(/METADATA_LOST/);
      await expect(readFrom(second, 'published-0', 'select 1')).rejects.toThrow(/trough rebuild/);
      const tried = await rebuild(first, '--dry-run');
      expect(tried.stdout).toMatch(/would be made: leases: [1-9]/);
      await expect(provision(first, 'fresh-0')).rejects.toThrow(/METADATA_LOST/);
      const done = await rebuild(second);
      expect([done.code, done.stderr], done.stdout).toEqual([0, expect.stringMatching(/opened/) as string]);
    }
    await using third = await start('n3', nats.url);
    await nodesAlive(first, 3);
    expect(await hotFiles(`${dir.path}/n3`)).toEqual(hot.get('n3'));
    const again = await rebuild(third);
    expect([again.code, again.stdout]).toEqual([0, expect.stringMatching(/leases were there/) as string]);

    for (const node of [first, second, third]) await lists.expectAll(node);
    for (const segment of lists.numbers.keys()) await lists.add(second, segment);
    await lists.expectAll(third);
    await expect(readFrom(first, 'gone', 'select 1')).rejects.toThrow(/no segment/);
    // Each file was gone on from where it was.
    for (const name of names)
      expect(
        (await readdir(`${dir.path}/${name}/lost+found`).catch(() => [])).filter((file) => file.endsWith('.sqlite')),
      ).toEqual([]);
    const needless = await rebuild(first);
    expect([needless.code, needless.stderr]).toEqual([1, expect.stringMatching(/nothing to rebuild/) as string]);
  },
);

test(
  'the metadata is lost under a running node, and the journal is not: the node ends, and a rebuild finds leases, schemas and what was shredded',
  { timeout: TEST_MS },
  async () => {
    await using nats = await natsServer();
    await using dir = await tempDir();
    const start = (): Promise<Node> =>
      trough({
        data: `${dir.path}/n1`,
        args: ['--nats', nats.url, '--cold', `${dir.path}/cold`, '--journal', 'nats'],
      });
    const lists = new Lists();
    {
      await using node = await start();
      await writeFile(`${dir.path}/list.sql`, TABLE);
      await verb(['schema', 'register', 'list', `${dir.path}/list.sql`], { env: clientEnv(node) });
      for (const segment of ['fresh', 'ahead', 'closed', 'gone']) await lists.make(node, segment, 'list');
      await promote(node, 'ahead');
      await lists.add(node, 'ahead');
      await release(node, 'closed');
      await release(node, 'gone');
      const cold = await readFile(`${dir.path}/cold/g/gone.sqlite`);
      await verb(['shred', 'gone'], { env: clientEnv(node) });
      lists.numbers.delete('gone');
      // What somebody brings back from a backup of cold storage without knowing that it was shredded.
      await writeFile(`${dir.path}/cold/g/gone.sqlite`, cold);
      await loseMetadata(nats.url);
      expect((await node.ended).code).not.toBe(0);
      expect(node.log()).toMatch(/METADATA_LOST/);
    }
    await using node = await start();
    const { code, stdout } = await rebuild(node);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/2 held, 1 released, 1 shredded.*1 schemas/) as string]);
    await lists.expectAll(node);
    for (const segment of lists.numbers.keys()) await lists.add(node, segment);
    await lists.expectAll(node);
    await expect(readFrom(node, 'gone', 'select 1')).rejects.toThrow(/no segment/);
    expect((await verb(['schema', 'show', 'list'], { env: clientEnv(node) })).stdout.trim()).toBe(TABLE);
  },
);

test(
  'the store of the own nats-server is lost, with metadata and journal: what was written is taken from the files on the node',
  { timeout: TEST_MS },
  async () => {
    await using dir = await tempDir();
    const data = `${dir.path}/n1`;
    const start = (): Promise<Node> => trough({ data, args: ['--cold', `${dir.path}/cold`, '--journal', 'nats'] });
    const lists = new Lists();
    {
      await using node = await start();
      for (const segment of ['fresh', 'ahead', 'closed']) await lists.make(node, segment);
      await promote(node, 'ahead');
      await lists.add(node, 'ahead');
      await release(node, 'closed');
      await killAll([node]);
    }
    const kept = await hotFiles(data);
    await rm(`${data}/nats`, { recursive: true });
    {
      await using node = await start();
      await expect(provision(node, 'fresh')).rejects.toThrow(/METADATA_LOST/);
      const { code, stdout } = await rebuild(node);
      expect([code, stdout]).toEqual([0, expect.stringMatching(/journal-gone +fresh/) as string]);
      expect(await hotFiles(data)).toEqual(kept);
      await lists.expectAll(node);
      for (const segment of lists.numbers.keys()) await lists.add(node, segment);
      await killAll([node]);
    }
    await using node = await start();
    await lists.expectAll(node);
    await release(node, 'fresh');
    // How far the file was in the journal that is gone is not the user's to see.
    const published = await readFile(`${dir.path}/cold/fr/fresh.sqlite`);
    expect(published.readInt32BE(68)).toBe(0);
    await lists.add(node, 'fresh');
    await lists.expectAll(node);
  },
);

async function loseMetadata(url: string): Promise<void> {
  const connection = await connect({ servers: url });
  const manager = await connection.jetstreamManager();
  await manager.streams.delete('KV_trough');
  await connection.close();
}
