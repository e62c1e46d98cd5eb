import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type HdfsTimes } from '../../src/cold/webhdfs/webhdfs-options.ts';
import { listed, seg, sha } from '../contract/cold-harness.ts';
import { eventually } from '../support/eventually.ts';
import { faultProxy, type SeenRequest } from '../support/fault-proxy.ts';
import { freePort } from '../support/free-port.ts';
import { testHdfs, type TestDataNode } from '../support/hdfs.ts';
import { tempDir } from '../support/temp-dir.ts';
import { webHdfsHarness } from './webhdfs-harness.ts';

const id = seg('crawl-1');
const MiB = 1024 * 1024;
const TIMES: Partial<HdfsTimes> = { pauseMs: 50, answerMs: 15_000, paceMs: 15_000 };
/** Behind a proxy all data nodes have one address, so that each try may meet the dead one, until the name node knows. */
const PATIENT: Partial<HdfsTimes> = { ...TIMES, attempts: 12 };

describe('a data node that is killed', () => {
  test('in the middle of a download, then of an upload: both end well on another one', async () => {
    await using hdfs = await testHdfs({ dataNodes: 0, set: { 'dfs.replication': '2' } });
    const nodes = new Map<string, TestDataNode>();
    const startNode = async (index: number): Promise<void> => {
      const node = await hdfs.join(index);
      nodes.set(node.authority, node);
    };
    await Promise.all([startNode(0), startNode(1)]);
    /** The operation in whose middle the data node that does it is killed, once. */
    let killIn: string | undefined;
    const killed: string[] = [];
    const killInTheMiddle = ({ op, authority }: SeenRequest, bytes: number): void => {
      if (op !== killIn || bytes < 2 * MiB) return;
      killIn = undefined;
      killed.push(authority);
      void nodes.get(authority)?.kill();
    };
    await using proxy = await faultProxy(hdfs.authority, { passed: killInTheMiddle });
    await using cold = webHdfsHarness(hdfs, { address: proxy.authority, times: PATIENT, replicas: 2 });
    await using dir = await tempDir();
    const first = randomBytes(24 * MiB);
    await writeFile(join(dir.path, 'first'), first);
    await cold.store.publish(id, join(dir.path, 'first'), sha(first));

    killIn = 'OPEN';
    await cold.store.fetch(id, join(dir.path, 'to'), { sha256: sha(first) });
    expect((await readFile(join(dir.path, 'to'))).equals(first)).toBe(true);
    expect(killed).toHaveLength(1);
    expect((await readdir(dir.path)).sort()).toEqual(['first', 'to']);

    // The name node goes on sending us to the dead one for a while.
    await startNode(2);
    const second = randomBytes(24 * MiB);
    await writeFile(join(dir.path, 'second'), second);
    killIn = 'CREATE';
    await using other = webHdfsHarness(hdfs, { address: proxy.authority, times: PATIENT });
    await other.store.publish(id, join(dir.path, 'second'), sha(second));
    expect(killed).toHaveLength(2);
    expect(sha((await other.read('craw/crawl-1.sqlite')) ?? '')).toBe(sha(second));
    expect(await other.everything()).toEqual(['craw/crawl-1.sqlite']);
    for (const node of nodes.values()) await node.kill();
  });
});

describe('with two name nodes', () => {
  test('the one that is standby, dead, hangs or is not HDFS is left for the other, which is asked first from then on', async () => {
    await using hdfs = await testHdfs();
    await using dir = await tempDir();
    await writeFile(join(dir.path, 'from'), 'content');
    await using standby = await faultProxy(hdfs.authority, { fault: () => 'standby' });
    await using hanging = await faultProxy(hdfs.authority, { fault: () => 'hang' });
    await using web = createServer((_, response) => {
      response.writeHead(502).end('<html>bad gateway</html>');
    }).listen(0, '127.0.0.1');
    await once(web, 'listening');
    const { port } = web.address() as { port: number };
    const dead = `127.0.0.1:${String(await freePort())}`;
    for (const first of [standby.authority, hanging.authority, dead, `127.0.0.1:${String(port)}`]) {
      const address = `${first},${hdfs.authority}`;
      await using cold = webHdfsHarness(hdfs, { address, times: { ...TIMES, answerMs: 3_000 } });
      await cold.store.publish(id, join(dir.path, 'from'), sha('content'));
      expect((await listed(cold.store)).files).toEqual(['crawl-1']);
      expect(await cold.store.remove(id)).toBe(true);
    }
    expect(standby.seen).toHaveLength(1);
    expect(hanging.seen).toHaveLength(1);
  });

  test('a name node that is started again is used again', async () => {
    await using hdfs = await testHdfs();
    await using dir = await tempDir();
    await using cold = webHdfsHarness(hdfs, { times: { ...TIMES, attempts: 3 } });
    await writeFile(join(dir.path, 'from'), 'content');
    await cold.store.publish(id, join(dir.path, 'from'), sha('content'));
    await hdfs.stopNameNode();
    await expect(cold.store.stat(id)).rejects.toMatchObject({ code: 'COLD_FAILED' });
    await expect(cold.store.probe()).rejects.toMatchObject({ code: 'COLD_FAILED' });
    await hdfs.startNameNode();
    await cold.store.publish(id, join(dir.path, 'from'), sha('content'));
    await eventually('reads', async () => (await cold.store.checksum(id)) === sha('content'));
  });
});
