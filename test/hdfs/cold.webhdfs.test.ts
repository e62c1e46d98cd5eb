import { afterAll, beforeAll } from 'vitest';
import { coldContract } from '../contract/cold.ts';
import { testHdfs, type TestHdfs } from '../support/hdfs.ts';
import { webHdfsHarness } from './webhdfs-harness.ts';

let hdfs: TestHdfs;
beforeAll(async () => {
  hdfs = await testHdfs();
});
afterAll(() => hdfs[Symbol.asyncDispose]());

coldContract({
  name: 'HDFS over WebHDFS',
  open: () => Promise.resolve(webHdfsHarness(hdfs)),
  directories: 20,
  filesEach: 50,
  alwaysRead: 1,
});
