import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { launcher } from '../../../src/engine/process-launch.ts';

const MIB = 2 ** 20;

function run(script: string, limits: Parameters<ReturnType<typeof launcher>['command']>[2]) {
  const { file, args } = launcher().command(process.execPath, ['-e', script], limits);
  return spawnSync(file, args, { encoding: 'utf8' });
}

test('on Linux a process can be held to limits', () => {
  expect(launcher().limits).toBe(process.platform === 'linux');
});

test.runIf(process.platform === 'linux')('an idle Node fits into the smallest of limits, and stays idle in it', () => {
  const { status, stdout } = run('console.log("idle")', { memoryBytes: 16 * MIB });
  expect({ status, stdout }).toEqual({ status: 0, stdout: 'idle\n' });
});

test.runIf(process.platform === 'linux')('memory beyond the limit is not given', () => {
  const script = 'try { Buffer.alloc(300 * 2 ** 20, 1); console.log("given") } catch { console.log("refused") }';
  expect(run(script, { memoryBytes: 200 * MIB }).stdout).toBe('refused\n');
  expect(run(script, { memoryBytes: 400 * MIB }).stdout).toBe('given\n');
});

test.runIf(process.platform === 'linux')('a file does not grow over the limit', () => {
  const script = `process.on('SIGXFSZ', () => {});
    const fs = require('fs');
    const file = require('path').join(fs.mkdtempSync(require('os').tmpdir() + '/limit-'), 'file');
    try { fs.writeFileSync(file, Buffer.alloc(3 * 2 ** 20)) } catch (error) { console.log(error.code) }
    console.log(fs.statSync(file).size);
    fs.rmSync(require('path').dirname(file), { recursive: true });`;
  expect(run(script, { fileBytes: 2 * MIB }).stdout).toBe(`EFBIG\n${String(2 * MIB)}\n`);
});

test('arguments reach the process as they are', () => {
  const strange = ['a b', '$HOME', "it's", '', '*'];
  const { file, args } = launcher().command(
    process.execPath,
    ['-p', 'JSON.stringify(process.argv.slice(1))', ...strange],
    {},
  );
  const { stdout } = spawnSync(file, args, { encoding: 'utf8' });
  expect(JSON.parse(stdout)).toEqual(strange);
});
