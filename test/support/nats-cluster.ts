import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type NatsConnection } from 'nats';
import { NatsServerChild, clearPortsFiles } from '../../src/bus/nats-server-child.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { natsServerBinary } from './nats-server.ts';
import { tempDir } from './temp-dir.ts';

const HOST = '127.0.0.1';
const GRACE_MS = 15_000;

export interface ClusterMember {
  readonly name: string;
  readonly url: string;
  readonly pid: number | undefined;
  kill(): Promise<void>;
  stop(): Promise<void>;
  restart(): Promise<void>;
  freeze(): void;
  thaw(): void;
}

/** Three real nats-servers that replicate, each with a store of its own. */
export interface TestNatsCluster extends AsyncDisposable {
  readonly members: readonly ClusterMember[];
  readonly urls: readonly string[];
  /** The member that leads the stream, when one does. */
  leaderOf(connection: NatsConnection, stream: string): Promise<ClusterMember>;
}

/** `await using cluster = await natsCluster();` */
export async function natsCluster(): Promise<TestNatsCluster> {
  const temp = await tempDir();
  const routePorts = [await freePort(), await freePort(), await freePort()];
  const routes = routePorts.map((port) => `"nats://${HOST}:${String(port)}"`).join(', ');
  const members = await Promise.all(
    routePorts.map((routePort, index) =>
      startMember(join(temp.path, `n${String(index)}`), `n${String(index)}`, routePort, routes),
    ),
  );
  return {
    members,
    urls: members.map(({ url }) => url),
    leaderOf: (connection, stream) =>
      eventually(
        `a leader of ${stream}`,
        async () => {
          const answer = await connection
            .request(`$JS.API.STREAM.INFO.${stream}`, '', { timeout: 1_000 })
            .catch(() => undefined);
          const leader = answer?.json<{ cluster?: { leader?: string } }>().cluster?.leader;
          return members.find(({ name }) => name === leader);
        },
        30_000,
      ),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(
        members.map(async (member) => {
          member.thaw();
          await member.kill();
        }),
      );
      await temp[Symbol.asyncDispose]();
    },
  };
}

async function startMember(directory: string, name: string, routePort: number, routes: string): Promise<ClusterMember> {
  await mkdir(directory);
  const configFile = join(directory, 'nats-server.conf');
  let child: NatsServerChild | undefined;
  let port = 0;
  const start = async (): Promise<void> => {
    await clearPortsFiles(directory);
    await writeFile(configFile, configOf({ name, directory, port, routePort, routes }));
    child = new NatsServerChild(await natsServerBinary(), configFile, directory, systemClock);
    port = await child.ready(HOST, () => false);
  };
  const end = async (): Promise<void> => {
    await child?.stop(GRACE_MS);
    child = undefined;
  };
  const signal = (name: 'SIGSTOP' | 'SIGCONT'): void => {
    if (child?.pid !== undefined) process.kill(child.pid, name);
  };
  await start();
  return {
    name,
    url: `nats://${HOST}:${String(port)}`,
    get pid() {
      return child?.pid;
    },
    kill: async () => {
      child?.kill();
      await end();
    },
    stop: end,
    restart: async () => {
      await end();
      await start();
    },
    freeze: () => {
      signal('SIGSTOP');
    },
    thaw: () => {
      signal('SIGCONT');
    },
  };
}

function configOf(of: { name: string; directory: string; port: number; routePort: number; routes: string }): string {
  return [
    `host: "${HOST}"`,
    `port: ${String(of.port === 0 ? -1 : of.port)}`,
    `server_name: "${of.name}"`,
    `ports_file_dir: "${of.directory}"`,
    `log_file: "${of.directory}/nats-server.log"`,
    `jetstream { store_dir: "${of.directory}", sync_interval: always }`,
    `cluster { name: "test", host: "${HOST}", port: ${String(of.routePort)}, routes: [${of.routes}] }`,
    '',
  ].join('\n');
}
