import { once } from 'node:events';
import { access, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { project } from './project.ts';

describe('the first run', () => {
  it('installs, builds, finds a nats-server, and leaves stdout to the program', async () => {
    await using tree = await project();
    const { code, stdout, stderr } = await tree.run('start', '--role=reader', '--node', 'n 2');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ args: ['--role=reader', '--node', 'n 2'], server: '/the/nats-server' });
    expect(stderr).toContain('installing the locked dependencies (npm ci): first run');
    expect(await tree.read('npm-calls')).toMatch(/^ci /);
  });

  it('says in one line that the installation failed, and starts nothing', async () => {
    await using tree = await project();
    await tree.write('npm-broken', '');
    const { code, stdout, stderr } = await tree.run('start');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('no network\ntrough: npm ci failed');
  });

  it('installs and builds once when two start at the same time', async () => {
    await using tree = await project();
    const ends = await Promise.all([tree.run('start', 'a'), tree.run('start', 'b')]);
    expect(ends.map(({ code }) => code)).toEqual([0, 0]);
    expect([await tree.installs(), await tree.builds()]).toEqual([1, 1]);
  });

  it('takes over the lock of a set-up that was killed', async () => {
    await using tree = await project();
    await tree.write('.cache/set-up.lock', JSON.stringify({ pid: process.pid, start: 'of an earlier process' }));
    expect((await tree.run('build')).code).toBe(0);
    await expect(access(join(tree.path, '.cache/set-up.lock'))).rejects.toThrow('ENOENT');
  });
});

describe('a later run', () => {
  it('does nothing again when nothing has changed', async () => {
    await using tree = await project();
    await tree.run('build');
    const { stderr } = await tree.run('build');
    expect([stderr, await tree.installs(), await tree.builds()]).toEqual(['', 1, 1]);
  });

  it('installs again when the lock file has changed', async () => {
    await using tree = await project();
    await tree.run('build');
    await tree.write(
      'package-lock.json',
      JSON.stringify({ packages: { '': {}, 'node_modules/a': { version: '1.0.1' } } }),
    );
    expect((await tree.run('build')).stderr).toContain('package-lock.json has changed');
    expect(await tree.installs()).toBe(2);
  });

  it('does not install what somebody installed by hand, optional packages of other platforms left out', async () => {
    await using tree = await project();
    await tree.run('build');
    const packages = { '': {}, 'node_modules/a': { version: '1.0.1' } };
    await tree.write('node_modules/.package-lock.json', JSON.stringify({ packages }));
    const other = { version: '2.0.0', optional: true };
    await tree.write('package-lock.json', JSON.stringify({ packages: { ...packages, 'node_modules/b': other } }));
    await tree.run('build');
    expect(await tree.installs()).toBe(1);
  });

  it('builds again when a source has changed, and leaves nothing of a removed one', async () => {
    await using tree = await project();
    await tree.write('src/old.ts', '');
    await tree.run('build');
    await access(join(tree.path, 'dist/old.js'));
    await rm(join(tree.path, 'src/old.ts'));
    await tree.run('build');
    expect(await tree.builds()).toBe(2);
    await expect(access(join(tree.path, 'dist/old.js'))).rejects.toThrow('ENOENT');
  });

  it('fails with the messages of the compiler when the build fails, and tries again', async () => {
    await using tree = await project();
    await tree.write('src/broken.ts', '');
    const { code, stdout, stderr } = await tree.run('start');
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/src\/broken\.ts: error\ntrough: the build failed/);
    await rm(join(tree.path, 'src/broken.ts'));
    expect((await tree.run('start')).code).toBe(0);
  });
});

describe('the program', () => {
  it('is started without a nats-server of our own when running servers are named, or for one command', async () => {
    await using tree = await project();
    for (const args of [['--nats', 'nats://a:1'], ['--nats=nats://a:1'], ['query', 'x'], ['--help']]) {
      expect(JSON.parse((await tree.run('start', ...args)).stdout)).toEqual({ args });
    }
  });

  it('runs under the bundled Node, not under the one that started the script', async () => {
    await using tree = await project();
    const bundled = `node_modules/node-${process.platform}-${process.arch}`;
    await tree.run('build');
    await tree.write(`${bundled}/package.json`, '{}');
    await tree.write(`${bundled}/bin/node`, '#!/bin/sh\necho "bundled $*"\n', 0o755);
    expect((await tree.run('start', '--nats=x', '--a')).stdout).toBe(
      'bundled --max-semi-space-size=16 dist/main.js --nats=x --a\n',
    );
  });

  it('hands its exit code on', async () => {
    await using tree = await project();
    await tree.write('src/main.ts', 'process.exitCode = 7;');
    expect((await tree.run('start')).code).toBe(7);
  });

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('gets %s and may end in its own way', async (signal) => {
    await using tree = await project();
    await tree.write(
      'src/main.ts',
      `const timer = setInterval(() => {}, 1000); process.on('${signal}', () => { clearInterval(timer); process.exitCode = 5; }); console.log('up');`,
    );
    const child = tree.spawn('start');
    await once(child.stdout, 'data');
    const exit = once(child, 'exit');
    child.kill(signal);
    expect(await exit).toEqual([5, null]);
  });

  it('hands on the signal that killed it', async () => {
    await using tree = await project();
    await tree.write('src/main.ts', `process.kill(process.pid, 'SIGKILL');`);
    const child = tree.spawn('start');
    expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
  });
});

describe('other verbs', () => {
  it('names the verbs when asked for one that there is not', async () => {
    await using tree = await project();
    const { code, stderr } = await tree.run('frobnicate');
    expect(code).toBe(1);
    expect(stderr).toContain('start|test|e2e|hdfs|bench|history|simulate|check|build|format');
  });

  it('runs the benchmarks that are named, all but the soak without a name, and stops at one that fails', async () => {
    await using tree = await project();
    await tree.write('bench/one.ts', 'console.log("one");');
    await tree.write('bench/soak.ts', 'console.log("soak");');
    await tree.write('bench/two.ts', 'console.log("two"); process.exitCode = 4;');
    await tree.write('bench/zwei.ts', 'console.log("zwei");');
    expect((await tree.run('bench', 'one')).stdout).toBe('one\n');
    expect((await tree.run('bench', 'soak')).stdout).toBe('soak\n');
    expect(await tree.run('bench')).toMatchObject({ code: 4, stdout: 'one\ntwo\n' });
    expect((await tree.run('bench', 'three')).stderr).toContain(
      'no benchmark named three; there are: one, soak, two, zwei',
    );
  });

  it('runs every check although one fails, and fails', async () => {
    await using tree = await project();
    await tree.run('build');
    const steps = [
      'eslint/bin/eslint.js',
      'prettier/bin/prettier.cjs',
      'dependency-cruiser/bin/dependency-cruiser.mjs',
      'knip/bin/knip.js',
    ];
    await tree.write('node_modules/typescript/bin/tsc', '');
    for (const step of steps)
      await tree.write(`node_modules/${step}`, step.startsWith('eslint') ? 'process.exitCode = 1' : '');
    const { code, stdout } = await tree.run('check');
    expect(code).toBe(1);
    expect(stdout.match(/^== .*$/gm)).toEqual(['== types', '== lint', '== format', '== import rules', '== dead code']);
    expect(stdout).toMatch(/failed: lint\n$/);
  });
});
