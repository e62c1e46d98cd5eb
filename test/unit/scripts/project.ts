import { execFile, spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { chmod, cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { tempDir } from '../../support/temp-dir.ts';

const ROOT = join(import.meta.dirname, '../../..');

export interface ScriptEnd {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A project of its own around copies of scripts/ and bin/, with an npm and a compiler that only note that they were called. */
export interface Project extends AsyncDisposable {
  readonly path: string;
  write(file: string, text: string, mode?: number): Promise<void>;
  read(file: string): Promise<string>;
  /** How often the npm was called. */
  installs(): Promise<number>;
  builds(): Promise<number>;
  run(...args: string[]): Promise<ScriptEnd>;
  spawn(...args: string[]): ChildProcessWithoutNullStreams;
}

const NPM = (path: string): string => `#!/bin/sh
echo "$*" >> ${path}/npm-calls
[ -e ${path}/npm-broken ] && { echo "no network" >&2; exit 1; }
/bin/mkdir -p node_modules/typescript/bin
/bin/cp package-lock.json node_modules/.package-lock.json
/bin/cp ${path}/tsc.cjs node_modules/typescript/bin/tsc
echo "npm says something"
`;

/** Strips nothing: the sources of these projects are plain JavaScript. */
const TSC = `const fs = require('node:fs');
fs.appendFileSync('tsc-calls', 'x\\n');
if (fs.existsSync('src/broken.ts')) { console.log('src/broken.ts: error'); process.exit(2); }
for (const name of fs.readdirSync('src')) fs.cpSync('src/' + name, 'dist-new/' + name.replace(/ts$/, 'js'), { recursive: true });
`;

const FINDER = `export async function findNatsServer({ say }) { say('nats-server: found'); return { path: '/the/nats-server' }; }`;

export async function project(): Promise<Project> {
  const temp = await tempDir();
  const { path } = temp;
  const write = async (file: string, text: string, mode = 0o644): Promise<void> => {
    await mkdir(dirname(join(path, file)), { recursive: true });
    await writeFile(join(path, file), text);
    await chmod(join(path, file), mode);
  };
  for (const folder of ['scripts', 'bin']) await cp(join(ROOT, folder), join(path, folder), { recursive: true });
  await write('fake/npm', NPM(path), 0o755);
  await write('tsc.cjs', TSC);
  await write('package.json', '{"type":"module"}');
  await write('package-lock.json', JSON.stringify({ packages: { '': {}, 'node_modules/a': { version: '1.0.0' } } }));
  await write('tsconfig.json', '{}');
  await write('tsconfig.build.json', '{}');
  await write('src/bus/nats-server-binary.js', FINDER);
  await write(
    'src/main.ts',
    'console.log(JSON.stringify({ args: process.argv.slice(2), server: process.env.TROUGH_NATS_SERVER }));',
  );

  const env = { PATH: `${path}/fake:/usr/bin:/bin`, npm_execpath: '' };
  const lines = async (file: string): Promise<number> => {
    const text = await readFile(join(path, file), 'utf8').catch(() => '');
    return text.split('\n').length - 1;
  };
  return {
    path,
    write,
    read: (file) => readFile(join(path, file), 'utf8'),
    installs: () => lines('npm-calls'),
    builds: () => lines('tsc-calls'),
    run: (...args) =>
      new Promise((resolve) => {
        execFile(process.execPath, [join(path, 'scripts/run.mjs'), ...args], { env }, (error, stdout, stderr) => {
          resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, stdout, stderr });
        });
      }),
    spawn: (...args) => spawn(process.execPath, [join(path, 'scripts/run.mjs'), ...args], { env }),
    [Symbol.asyncDispose]: () => temp[Symbol.asyncDispose](),
  };
}
