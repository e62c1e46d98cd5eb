import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, test } from 'vitest';
import { coldCheckStory } from '../support/cold-check-story.ts';
import { testHdfs, type TestHdfs } from '../support/hdfs.ts';
import { PlainHdfs } from '../support/hdfs-plain.ts';

let hdfs: TestHdfs;
beforeAll(async () => {
  hdfs = await testHdfs();
});
afterAll(() => hdfs[Symbol.asyncDispose]());

test('a damaged HDFS is found out and mended', async () => {
  const plain = new PlainHdfs(hdfs.url);
  await coldCheckStory(`webhdfs://root@${hdfs.authority}/checked`, {
    place: async (path, content) => {
      const temporary = `/placing-${randomUUID()}`;
      await plain.put(temporary, content);
      const target = `/checked/${path}`;
      await plain.makeDirectory(target.slice(0, target.lastIndexOf('/')));
      await plain.rename(temporary, target);
    },
    drop: (path) => plain.remove(`/checked/${path}`),
    read: (path) => plain.get(`/checked/${path}`),
    age: (path, ms) => hdfs.age(`/checked/${path}`, ms),
  });
});
