import { execFile } from 'node:child_process';
import { execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { FOUND_SEEDS } from './found-seeds.ts';

interface Ended {
  readonly code: number;
  readonly output: string;
}

/** In a process of its own, since the program is loaded there with fewer slots. */
function simulate(...args: string[]): Promise<Ended> {
  const script = fileURLToPath(new URL('simulate.ts', import.meta.url));
  return new Promise((resolve) => {
    execFile(execPath, [script, ...args], { maxBuffer: 256 * 1024 * 1024 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr });
    });
  });
}

test('a cluster stays right under any faults, and is well again after them', { timeout: 300_000 }, async () => {
  const { code, output } = await simulate('--seeds', '6', '--from', '1');
  expect(output).not.toContain('FAILED');
  expect(code, output.slice(-4_000)).toBe(0);
});

test('no seed that once found a bug finds it again', { timeout: 300_000 }, async () => {
  const seeds = FOUND_SEEDS.map(({ seed }) => String(seed)).join(',');
  const { code, output } = await simulate('--only', seeds);
  expect(code, output.slice(-4_000)).toBe(0);
});

test('a seed gives the same run each time, byte for byte', { timeout: 300_000 }, async () => {
  const [one, other] = await Promise.all([simulate('--seed', '7'), simulate('--seed', '7')]);
  expect(one.output.length).toBeGreaterThan(10_000);
  expect(one.output).toBe(other.output);
});
