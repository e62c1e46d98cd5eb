import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tempDir } from '../../support/temp-dir.ts';

const SCRIPT = join(import.meta.dirname, '../../../scripts/sum-reports.mjs');

interface Sum {
  /** The last line. */
  readonly line: string;
  /** What stands before it. */
  readonly told: string;
  readonly failed: boolean;
}

async function sum(...reports: unknown[]): Promise<Sum> {
  await using temp = await tempDir();
  const files = reports.map((_, index) => join(temp.path, `${String(index)}.json`));
  for (const [index, report] of reports.entries()) {
    if (report !== undefined) await writeFile(files[index] ?? '', JSON.stringify(report));
  }
  return await new Promise((resolve) => {
    execFile(process.execPath, [SCRIPT, ...files], (error, stdout) => {
      const lines = stdout.trimEnd().split('\n');
      resolve({ line: lines.at(-1) ?? '', told: lines.slice(0, -1).join('\n'), failed: error !== null });
    });
  });
}

const report = (numPassedTests: number, rest: object = {}): object => ({
  ...{ numPassedTests, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] },
  ...rest,
});

describe('the sum of the test reports', () => {
  it('adds up what passed', async () => {
    expect(await sum(report(3), report(4))).toEqual({ line: '7 passed, 0 failed', told: '', failed: false });
  });

  it('counts what failed and what was skipped, and fails', async () => {
    const second = report(1, { numFailedTests: 2, numPendingTests: 1, numTodoTests: 1 });
    expect(await sum(report(3), second)).toMatchObject({ line: '4 passed, 2 failed, 2 skipped', failed: true });
  });

  it('names each test that failed, with its message', async () => {
    const tests = [
      { status: 'passed', fullName: 'a good one', failureMessages: [] },
      { status: 'failed', fullName: 'a bad one', failureMessages: ['expected 1 to be 2'] },
    ];
    const testResults = [{ name: 'x.test.ts', status: 'failed', message: '', assertionResults: tests }];
    const { line, told } = await sum(report(1, { numFailedTests: 1, testResults }));
    expect(line).toBe('1 passed, 1 failed');
    expect(told).toBe('failed: x.test.ts > a bad one\n    expected 1 to be 2\n');
  });

  it('counts a file that could not be loaded as a failure', async () => {
    const testResults = [{ name: 'x.test.ts', status: 'failed', message: 'no such module', assertionResults: [] }];
    const { line, told, failed } = await sum(report(3, { testResults }));
    expect([line, failed]).toEqual(['3 passed, 1 failed', true]);
    expect(told).toContain('x.test.ts\n    no such module');
  });

  it('counts a report that was never written as a failure, and no test at all as one too', async () => {
    const { line, told, failed } = await sum(report(3), undefined);
    expect([line, failed]).toEqual(['3 passed, 1 failed', true]);
    expect(told).toContain('the suite wrote no report');
    expect(await sum(report(0))).toMatchObject({ line: '0 passed, 0 failed', failed: true });
  });
});
