import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SetUpError } from '../bin/set-up-error.mjs';
import { withLock } from './lock.mjs';

export { SetUpError };
export const root = new URL('../', import.meta.url);

const INSTALL_STAMP = at('node_modules/.trough-installed');
const BUILD_STAMP = at('.cache/built');

/** Installs what package-lock.json says, unless that is what is there. */
export async function ensureDependencies() {
  const wanted = hash(readFileSync(at('package-lock.json')));
  if (read(INSTALL_STAMP) === wanted) return;
  await withLock(at('.cache/set-up.lock'), async () => {
    if (read(INSTALL_STAMP) === wanted) return;
    if (!isInstalled()) {
      say(
        `installing the locked dependencies (npm ci): ${existsSync(at('node_modules')) ? 'package-lock.json has changed' : 'first run'}`,
      );
      await npmInstall();
    }
    writeFileSync(INSTALL_STAMP, wanted);
  });
}

/** Compiles src to dist when a source is not what was compiled last. Nothing half-built is ever in dist. */
export async function ensureBuild(node) {
  if (isBuilt()) return;
  await withLock(at('.cache/set-up.lock'), async () => {
    if (isBuilt()) return;
    say('building dist');
    const state = sourceState();
    rmSync(at('dist-new'), { recursive: true, force: true });
    const { code } = await runQuietly(node, [
      'node_modules/typescript/bin/tsc',
      '-p',
      'tsconfig.build.json',
      '--outDir',
      'dist-new',
    ]);
    if (code !== 0) {
      rmSync(at('dist-new'), { recursive: true, force: true });
      throw new SetUpError('the build failed: see the messages of the compiler above');
    }
    rmSync(at('dist'), { recursive: true, force: true });
    renameSync(at('dist-new'), at('dist'));
    writeFileSync(BUILD_STAMP, state);
  });
}

/** Makes sure of a nats-server; the answer is the environment that names it. */
export async function ensureNatsServer(node) {
  const find = () => runQuietly(node, ['scripts/find-nats-server.mjs'], 'pipe');
  const { code, stdout } = await withLock(at('.cache/set-up.lock'), find);
  if (code !== 0) throw new SetUpError('there is no nats-server: see the message above');
  return { TROUGH_NATS_SERVER: stdout.trim() };
}

function isBuilt() {
  return existsSync(at('dist')) && read(BUILD_STAMP) === sourceState();
}

function sourceState() {
  const files = readdirSync(at('src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`);
  const all = [...files, at('tsconfig.json'), at('tsconfig.build.json'), at('package-lock.json')];
  const lines = all.map((file) => {
    const { mtimeMs, size } = statSync(file);
    return `${file} ${mtimeMs} ${size}`;
  });
  return hash(lines.sort().join('\n'));
}

/** Whether node_modules holds every package of the lock file in its version: so it is when someone has run `npm ci` by hand. */
function isInstalled() {
  const installed = readJson(at('node_modules/.package-lock.json'))?.packages;
  if (installed === undefined) return false;
  const locked = Object.entries(readJson(at('package-lock.json')).packages).filter(([path]) => path !== '');
  return locked.every(([path, { version, optional }]) => {
    const there = installed[path];
    return there === undefined ? optional === true : there.version === version;
  });
}

async function npmInstall() {
  const npm = process.env.npm_execpath;
  const [file, args] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []];
  const command = [...args, 'ci', '--no-fund', '--no-audit', '--loglevel=error'];
  const { code } = await runQuietly(file, command, 2, headersAtHand());
  if (code !== 0)
    throw new SetUpError('npm ci failed: see its messages above; with the network back, run the same command again');
}

/** The Node that is installed with the dependencies has the headers to compile them with: node-gyp must not go and download others. */
function headersAtHand() {
  const path = `node_modules/node-${process.platform}-${process.arch}`;
  const isLocked = path in readJson(at('package-lock.json')).packages;
  return isLocked && process.env.npm_config_nodedir === undefined ? { npm_config_nodedir: at(path) } : {};
}

/** Runs a set-up step; what it prints goes to stderr, as stdout belongs to the program that comes after, or is returned with `pipe`. */
function runQuietly(file, args, stdout = 2, env = {}) {
  return new Promise((resolve, reject) => {
    const stdio = ['ignore', stdout, 2];
    const child = spawn(file, args, { cwd: fileURLToPath(root), stdio, env: { ...process.env, ...env } });
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (chunk) => (text += chunk));
    child.once('error', (error) => reject(new SetUpError(`${file} cannot be run: ${error.message}`)));
    child.once('close', (code) => resolve({ code, stdout: text }));
  });
}

function at(path) {
  return fileURLToPath(new URL(path, root));
}

function read(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

function readJson(file) {
  const text = read(file);
  return text === undefined ? undefined : JSON.parse(text);
}

function hash(content) {
  return createHash('sha256').update(content).digest('hex');
}

function say(line) {
  process.stderr.write(`trough: ${line}\n`);
}

mkdirSync(at('.cache'), { recursive: true });
