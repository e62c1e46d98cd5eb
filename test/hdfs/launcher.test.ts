import { expect, test } from 'vitest';
import { testHdfs } from '../support/hdfs.ts';

test('a real HDFS starts, takes a file with a data node of its own, and names every command that it does not know', async () => {
  await using hdfs = await testHdfs();
  await hdfs.fill(['/a/one.sqlite', '/a/two.sqlite']);
  await hdfs.age('/a', 3_600_000);
  const answer = await fetch(`${hdfs.url}/a/one.sqlite?op=GETFILESTATUS`);
  const { FileStatus } = (await answer.json()) as { FileStatus: { length: number; modificationTime: number } };
  expect(FileStatus.length).toBe(7);
  expect(Date.now() - FileStatus.modificationTime).toBeGreaterThan(3_500_000);
  await expect(hdfs.stopDataNode(7)).rejects.toThrow('no data node 7');
});
