import { defineConfig } from 'vitest/config';
import { missingForHdfs } from './test/support/hdfs-jars.ts';

const missing = missingForHdfs();
if (missing !== undefined) process.stderr.write(`the HDFS suite is skipped: ${missing}\n`);

// eslint-disable-next-line no-restricted-syntax -- vitest asks for a default export
export default defineConfig({
  test: {
    include: missing === undefined ? ['test/hdfs/**/*.test.ts'] : [],
    passWithNoTests: missing !== undefined,
    // The first start on a machine fetches Hadoop.
    hookTimeout: 300_000,
    testTimeout: 120_000,
    // One HDFS at a time: each is a JVM or two.
    maxWorkers: 1,
    // The cases of the table of faults mostly wait.
    maxConcurrency: 16,
  },
});
