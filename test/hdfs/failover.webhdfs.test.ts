import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { listed, seg, sha } from '../contract/cold-harness.ts';
import { eventually } from '../support/eventually.ts';
import { testHdfsPair } from '../support/hdfs-pair.ts';
import { tempDir } from '../support/temp-dir.ts';
import { webHdfs } from './webhdfs-harness.ts';

async function answerOf(nameNode: string): Promise<string> {
  return (await fetch(`http://${nameNode}/webhdfs/v1/?op=GETFILESTATUS`)).text();
}

test('a real standby takes over, by order and after a loss: what is under way ends well, and nothing is gone', async () => {
  await using hdfs = await testHdfsPair();
  await using dir = await tempDir();
  using store = webHdfs(`webhdfs://root@${hdfs.second},${hdfs.first}/kept`, {
    times: { pauseMs: 100, attempts: 8, answerMs: 8_000 },
  });
  const published = new Map<string, string>();
  const state = { going: true, round: 0 };
  const publishOn = async (): Promise<void> => {
    const from = join(dir.path, 'from');
    for (; state.going; state.round += 1) {
      const content = randomBytes(200_000);
      await writeFile(from, content);
      const id = `crawl-${String(state.round)}`;
      await store.publish(seg(id), from, sha(content));
      published.set(id, sha(content));
    }
  };
  const fetchOn = async (): Promise<void> => {
    const to = join(dir.path, 'to');
    for (let at = 0; state.going; at += 1) {
      const [id, sha256] = [...published][at % Math.max(1, published.size)] ?? [];
      if (id === undefined) await store.probe();
      else await store.fetch(seg(id), to, { sha256 });
      await rm(to, { force: true });
    }
  };
  const busy = Promise.all([publishOn(), fetchOn()]);
  const more = async (files: number): Promise<void> => {
    const upTo = state.round + files;
    await Promise.race([busy, eventually('files are published', () => state.round >= upTo, 60_000)]);
  };
  await more(5);
  expect(await answerOf(hdfs.second)).toContain('StandbyException');
  await hdfs.takeTurns();
  expect(await answerOf(hdfs.first)).toContain('StandbyException');
  await more(5);
  await hdfs.takeTurns();
  await more(5);
  await hdfs.loseSecond();
  await more(5);
  state.going = false;
  await busy;
  expect((await listed(store)).files).toEqual([...published.keys()].sort());
  for (const [id, sha256] of published) expect(await store.checksum(seg(id))).toBe(sha256);
});
