import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { composeCluster, type ComposeCluster, type ComposeProcess } from '../support/compose-processes.ts';
import { eventually } from '../support/eventually.ts';

let cluster: ComposeCluster;
let nodes: readonly ComposeProcess[];
let masters: readonly ComposeProcess[];

beforeAll(async () => {
  cluster = await composeCluster();
  nodes = cluster.troughs.filter(({ ready }) => ready.urls.read !== undefined);
  masters = cluster.troughs.filter(({ ready }) => ready.urls.syncMaster !== undefined);
});

afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
});

async function post(url: string, body: unknown): Promise<string> {
  const text = typeof body === 'string';
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': text ? 'text/plain' : 'application/json' },
    body: text ? body : JSON.stringify(body),
  });
  const answer = await response.text();
  if (!response.ok) throw new Error(`${url}: ${String(response.status)} ${answer}`);
  return answer;
}

function at(url: string | undefined, path: string): string {
  return new URL(path, url).href;
}

async function read(node: ComposeProcess, segment: string): Promise<unknown> {
  return JSON.parse(await post(`${at(node.ready.urls.read, '/')}?segment=${segment}`, 'select word from words'));
}

/** A segment with one row, written through whichever node the sync-master chose. */
async function write(master: ComposeProcess, segment: string): Promise<void> {
  const { write_url: url } = JSON.parse(await post(at(master.ready.urls.syncMaster, '/provision'), { segment })) as {
    write_url: string;
  };
  await post(url, 'create table words (word text)');
  await post(url, `insert into words values ('${segment}')`);
}

describe('the cluster of compose.yaml', () => {
  it('comes up with two sync-masters and three nodes of different names', () => {
    expect([masters.length, nodes.length]).toEqual([2, 3]);
    expect(new Set(cluster.troughs.map(({ ready }) => ready.node)).size).toBe(5);
  });

  it('is healthy and ready on every port', async () => {
    for (const { ready } of cluster.troughs) {
      const { nats, ...urls } = ready.urls;
      expect(nats).toMatch(/^nats:\/\//);
      for (const url of Object.values(urls)) {
        expect((await fetch(at(url, '/healthz'))).status).toBe(200);
        await eventually(`${String(url)} is ready`, async () => (await fetch(at(url, '/readyz'))).ok, 20_000);
      }
    }
  });

  it('takes a segment through either sync-master and answers from each node', async () => {
    for (const [index, master] of masters.entries()) {
      const segment = `through-${String(index)}`;
      await write(master, segment);
      for (const node of nodes) expect(await read(node, segment)).toEqual([{ word: segment }]);
    }
  });

  it('still reads a promoted segment from the nodes that are left when one is killed', async () => {
    const segment = 'kept';
    const [master] = masters;
    if (master === undefined) throw new Error('no sync-master');
    await write(master, segment);
    await post(at(master.ready.urls.syncMaster, '/promote'), { segment });
    const [killed, ...left] = nodes;
    await killed?.kill('SIGKILL');
    for (const node of left) {
      const answer = await eventually(`${node.name} answers`, () => read(node, segment).catch(() => undefined), 30_000);
      expect(answer).toEqual([{ word: segment }]);
    }
  });
});
