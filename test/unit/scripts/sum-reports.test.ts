import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tempDir } from '../../support/temp-dir.ts';

const SCRIPT = join(import.meta.dirname, '../../../scripts/sum-reports.mjs');

async function sum(...reports: unknown[]): Promise<{ line: string; failed: boolean }> {
  await using temp = await tempDir();
  const files = reports.map((_, index) => join(temp.path, `${String(index)}.json`));
  for (const [index, report] of reports.entries()) {
    if (report !== undefined) await writeFile(files[index] ?? '', JSON.stringify(report));
  }
  return await new Promise((resolve) => {
    execFile(process.execPath, [SCRIPT, ...files], (error, stdout) => {
      resolve({ line: stdout, failed: error !== null });
    });
  });
}

const report = (numPassedTests: number, rest: object = {}): object => ({
  ...{ numPassedTests, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] },
  ...rest,
});

describe('the sum of the test reports', () => {
  it('adds up what passed', async () => {
    expect(await sum(report(3), report(4))).toEqual({ line: '7 passed, 0 failed\n', failed: false });
  });

  it('tells what failed and what was skipped, and fails', async () => {
    const second = report(1, { numFailedTests: 2, numPendingTests: 1, numTodoTests: 1 });
    expect(await sum(report(3), second)).toEqual({ line: '4 passed, 2 failed, 2 skipped\n', failed: true });
  });

  it('counts a file that could not be loaded as a failure', async () => {
    const broken = report(3, { testResults: [{ status: 'failed', assertionResults: [] }] });
    expect(await sum(broken)).toEqual({ line: '3 passed, 1 failed\n', failed: true });
  });

  it('counts a report that was never written as a failure, and no test at all as one too', async () => {
    expect(await sum(report(3), undefined)).toEqual({ line: '3 passed, 1 failed\n', failed: true });
    expect(await sum(report(0))).toEqual({ line: '0 passed, 0 failed\n', failed: true });
  });
});
