import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from './free-port.ts';
import { greetNatsServer } from '../../src/bus/nats-server-probe.ts';
import { type ReadyLine } from '../../src/roles/start.ts';
import { type ComposeService, imageEnvironment, readCompose } from './compose.ts';
import { eventually } from './eventually.ts';
import { natsServerBinary } from './nats-server.ts';
import { tempDir } from './temp-dir.ts';

const ROOT = join(import.meta.dirname, '../..');
const LOOPBACK = '127.0.0.1';

/** One container's process. */
export interface ComposeProcess {
  /** The service's name, with a number where there are several. */
  readonly name: string;
  readonly ready: ReadyLine;
  /** Resolves when it is gone. */
  kill(signal: NodeJS.Signals): Promise<void>;
}

export interface ComposeCluster extends AsyncDisposable {
  readonly troughs: readonly ComposeProcess[];
}

interface Running {
  readonly child: ChildProcess;
  readonly log: string[];
}

/** Where a container's network and folders become this machine's: host names, ports and paths, longest first. */
type Substitutions = readonly (readonly [from: string, to: string])[];

/**
 * Every service of compose.yaml without a profile as processes on loopback, with the file's own commands and environments and the image's: only
 * addresses, ports and folders are other ones. Ready when each has said so.
 */
export async function composeCluster(): Promise<ComposeCluster> {
  const services = Object.entries(readCompose().services).filter(([, { profiles }]) => profiles === undefined);
  const temp = await tempDir();
  const running: Running[] = [];
  const stop = async (): Promise<void> => {
    for (const { child } of running.toReversed()) await end(child, 'SIGTERM');
    await temp[Symbol.asyncDispose]();
  };
  try {
    const nats = services.filter(([name]) => name.startsWith('nats-'));
    const network = await natsNetwork(nats.map(([name]) => name));
    await Promise.all(nats.map(([name, service]) => startNats(name, service, network, temp.path, running)));
    const replicas = services
      .filter(([name]) => !name.startsWith('nats-'))
      .flatMap(([name, service]) => {
        const count = service.deploy?.replicas ?? 1;
        return Array.from({ length: count }, (_, index) => ({
          name: count === 1 ? name : `${name}-${String(index + 1)}`,
          service,
        }));
      });
    const troughs = await Promise.all(
      replicas.map(({ name, service }) => startTrough(name, service, network, temp.path, running)),
    );
    return { troughs, [Symbol.asyncDispose]: stop };
  } catch (error) {
    const said = running.map(({ log }) => log.join('').slice(-2_000)).join('\n---\n');
    await stop();
    throw new Error(`the cluster did not start:\n${said}`, { cause: error });
  }
}

/** Each server gets ports of its own, as all share one address. */
async function natsNetwork(names: readonly string[]): Promise<Substitutions> {
  const pairs: (readonly [string, string])[] = [];
  for (const name of names) {
    for (const port of ['4222', '6222', '8222'])
      pairs.push([`${name}:${port}`, `${LOOPBACK}:${String(await freePort())}`]);
  }
  return pairs;
}

async function startNats(
  name: string,
  service: ComposeService,
  network: Substitutions,
  temp: string,
  running: Running[],
): Promise<void> {
  const own = (port: string): string => network.find(([from]) => from === `${name}:${port}`)?.[1].split(':')[1] ?? '';
  const words: Substitutions = [
    ...network,
    ...(service.configs ?? []).map(({ target }) => [target, join(ROOT, 'config/nats-cluster.conf')] as const),
    ['--port=4222', `--port=${own('4222')} --addr=${LOOPBACK}`],
    ['--http_port=8222', `--http_port=${own('8222')}`],
    ['0.0.0.0:6222', `${LOOPBACK}:${own('6222')}`],
    ['=/data', `=${join(temp, name)}`],
  ];
  const args = service.command.flatMap((word) => substitute(word, words).split(' '));
  launch(await natsServerBinary(), args, {}, running);
  await eventually(`${name} answers`, () => greetNatsServer(LOOPBACK, Number(own('4222'))).catch(() => undefined));
}

async function startTrough(
  name: string,
  service: ComposeService,
  network: Substitutions,
  temp: string,
  running: Running[],
): Promise<ComposeProcess> {
  const folders: Substitutions = [
    ['/var/lib/trough-cold', join(temp, 'cold')],
    ['/var/lib/trough', join(temp, name)],
  ];
  await mkdir(join(temp, 'cold'), { recursive: true });
  const wanted = { TROUGH_NODE: name, ...imageEnvironment(), ...service.environment };
  const env = Object.fromEntries(
    Object.entries(wanted).map(([key, value]) => [key, substitute(value, [...network, ...folders])]),
  );
  const ports = {
    TROUGH_READ_PORT: '0',
    TROUGH_WRITE_PORT: '0',
    TROUGH_SYNC_MASTER_PORT: '0',
    TROUGH_SYNC_LOCAL_PORT: '0',
  };
  const one = launch(
    process.execPath,
    [join(ROOT, 'dist/main.js'), ...service.command],
    { ...env, ...ports, TROUGH_BIND: LOOPBACK },
    running,
  );
  return {
    name,
    ready: await readyLine(name, one),
    kill: (signal) => end(one.child, signal),
  };
}

async function readyLine(name: string, { child, log }: Running): Promise<ReadyLine> {
  if (child.stdout === null) throw new Error('no stdout');
  const line = once(createInterface({ input: child.stdout }), 'line').then(
    ([text]) => JSON.parse(String(text)) as ReadyLine,
  );
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`${name} ended with ${String(code)}: ${log.join('').slice(-2_000)}`);
  });
  return Promise.race([line, ended]);
}

function launch(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  running: Running[],
): Running {
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env['PATH'], ...env } });
  const log: string[] = [];
  child.stderr.setEncoding('utf8').on('data', (part: string) => log.push(part));
  const one = { child, log };
  running.push(one);
  return one;
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill(signal);
  await exit;
}

function substitute(word: string, words: Substitutions): string {
  return words.reduce((text, [from, to]) => text.replaceAll(from, to), word);
}
