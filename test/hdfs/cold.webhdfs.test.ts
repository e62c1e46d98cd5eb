import { afterAll, beforeAll } from 'vitest';
import { type ColdStore } from '../../src/cold/cold-store.ts';
import { FetchProcess } from '../../src/cold/fetch-process.ts';
import { UnhurriedCold } from '../../src/cold/unhurried-cold.ts';
import { coldContract, coldFilesContract } from '../contract/cold.ts';
import { type ColdHarness } from '../contract/cold-harness.ts';
import { testHdfs, type TestHdfs } from '../support/hdfs.ts';
import { recordingLog } from '../support/recording-log.ts';
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

coldFilesContract('HDFS over WebHDFS, fetched in a process of low priority', () => Promise.resolve(unhurried()));

function unhurried(): ColdHarness<ColdStore> {
  const harness = webHdfsHarness(hdfs);
  const place = `webhdfs://root@${hdfs.authority}${harness.root}`;
  const given = { cold: { place }, logLevel: 'silent', logFields: {} } as const;
  const fetches = new FetchProcess({ nodePath: process.execPath, given, idleMs: 60_000 }, recordingLog().log);
  return {
    ...harness,
    store: new UnhurriedCold(harness.store, fetches),
    other: () => new UnhurriedCold(harness.other(), fetches),
    [Symbol.asyncDispose]: async () => {
      await fetches[Symbol.asyncDispose]();
      await harness[Symbol.asyncDispose]();
    },
  };
}
