/**
 * What cold storage in HDFS costs beside the shortest client there is, on a real HDFS of this machine, in lines that BENCH_LINES chooses: `large`, `small`,
 * `discovery`. Ends with 1 when a figure is beyond its limit. From the environment too: BENCH_ROUNDS, BENCH_LARGE_BYTES (default 1 GiB), BENCH_SMALL_FILES
 * (2,000), BENCH_FILES (of the discovery, 100,000).
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testHdfs } from '../test/support/hdfs.ts';
import { missingForHdfs } from '../test/support/hdfs-jars.ts';
import { measureDiscovery } from './cold/measure-discovery.ts';
import { measureTransfers } from './cold/measure-transfers.ts';
import { conditions } from './support/conditions.ts';
import { isChosen, planFrom, positive } from './support/plan.ts';
import { say } from './support/say.ts';

const missing = missingForHdfs();
if (missing === undefined) await measure();
else say(`cold: skipped, ${missing}`);

async function measure(): Promise<void> {
  const plan = planFrom(process.env);
  say(conditions({ troughArgs: [] })[0] ?? '');
  const directory = await mkdtemp(join(tmpdir(), 'trough-bench-'));
  const failures: string[] = [];
  try {
    await using hdfs = await testHdfs();
    failures.push(
      ...(await measureTransfers(hdfs, directory, {
        rounds: plan.rounds,
        largeBytes: positive(process.env, 'BENCH_LARGE_BYTES', 2 ** 30),
        smallFiles: positive(process.env, 'BENCH_SMALL_FILES', 2_000),
        isChosen: (line) => isChosen(line, plan),
      })),
    );
    if (isChosen('discovery', plan))
      failures.push(...(await measureDiscovery(hdfs, positive(process.env, 'BENCH_FILES', 100_000))));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  for (const failure of failures) say(`failed: ${failure}`);
  process.exitCode = failures.length === 0 ? 0 : 1;
}
