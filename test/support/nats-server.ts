import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findNatsServer } from '../../src/bus/nats-server-binary.ts';
import { clearPortsFiles, NatsServerChild } from '../../src/bus/nats-server-child.ts';
import { renderNatsServerConfig } from '../../src/bus/nats-server-config.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { tempDir } from './temp-dir.ts';

const HOST = '127.0.0.1';
const GRACE_MS = 5_000;

/** A real nats-server with JetStream on a free port and a store of its own. It stays dead when killed, until `restart`. */
export interface TestNatsServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly pid: number | undefined;
  /** SIGKILL: nothing is flushed, clients see a broken connection. Resolves when the process is gone. */
  kill(): Promise<void>;
  /** SIGTERM. Resolves when the process is gone. */
  stop(): Promise<void>;
  /** The same port, the same store; resolves when it is ready. */
  restart(): Promise<void>;
}

let binary: Promise<string> | undefined;

/** The nats-server that all tests of this process use. */
export function natsServerBinary(): Promise<string> {
  return (binary ??= findNatsServer({ env: process.env, say: () => undefined }).then(({ path }) => path));
}

export interface TestNatsServerOptions {
  readonly maxPayloadBytes?: number;
  /** Changes the text of the configuration. */
  readonly change?: (config: string) => string;
}

/** `await using server = await natsServer();` */
export async function natsServer(options: TestNatsServerOptions = {}): Promise<TestNatsServer> {
  const program = await natsServerBinary();
  const temp = await tempDir();
  const directory = join(temp.path, 'nats');
  await mkdir(directory);
  const configFile = join(directory, 'nats-server.conf');
  const { maxPayloadBytes = 1024 * 1024, change = (config: string) => config } = options;

  let child: NatsServerChild | undefined;
  let port = 0;
  const start = async (): Promise<void> => {
    await clearPortsFiles(directory);
    await writeFile(configFile, change(renderNatsServerConfig({ host: HOST, port, directory, maxPayloadBytes })));
    child = new NatsServerChild(program, configFile, directory, systemClock);
    port = await child.ready(HOST, () => false);
  };
  const end = async (graceMs: number): Promise<void> => {
    await child?.stop(graceMs);
    child = undefined;
  };
  await start();
  return {
    url: `nats://${HOST}:${String(port)}`,
    port,
    get pid() {
      return child?.pid;
    },
    kill: async () => {
      child?.kill();
      await end(GRACE_MS);
    },
    stop: () => end(GRACE_MS),
    restart: async () => {
      await end(GRACE_MS);
      await start();
    },
    [Symbol.asyncDispose]: async () => {
      await end(GRACE_MS);
      await temp[Symbol.asyncDispose]();
    },
  };
}
