import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { connect } from 'nats';
import { describe, expect, it } from 'vitest';
import { startNatsServer, type NatsServer } from '../../../src/bus/nats-server.ts';
import { silentLog } from '../../../src/log.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { systemProcesses } from '../../../src/runtime/process-table.ts';
import { eventually } from '../../support/eventually.ts';
import { natsServer, natsServerBinary } from '../../support/nats-server.ts';
import { tempDir } from '../../support/temp-dir.ts';

async function start(dataDir: string, options: { port?: number; binary?: string } = {}): Promise<NatsServer> {
  const { port = 0, binary = await natsServerBinary() } = options;
  return startNatsServer({ binary, dataDir, port, clock: systemClock, log: silentLog, random: Math.random });
}

const isGone = async (pid: number): Promise<boolean> => (await systemProcesses.startOf(pid)) === undefined;

/** A process of its own that owns a server on `dataDir`. */
async function owner(
  dataDir: string,
): Promise<{ process: ChildProcess; serverPid: number; kill: () => Promise<void> } & AsyncDisposable> {
  const script = join(import.meta.dirname, '../../support/nats-server-owner.ts');
  const child = fork(script, [await natsServerBinary(), dataDir]);
  const [message] = (await once(child, 'message')) as [{ pid: number }];
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  };
  return {
    process: child,
    serverPid: message.pid,
    kill,
    [Symbol.asyncDispose]: async () => {
      await kill();
      systemProcesses.signal(message.pid, 'SIGKILL');
    },
  };
}

describe('startNatsServer', () => {
  it('answers with JetStream as soon as it is started, in a directory with a difficult name', async () => {
    await using temp = await tempDir();
    await using server = await start(join(temp.path, `it's "a" $dir`));
    await using connection = await connected(server.url);
    const manager = await connection.client.jetstreamManager();
    await manager.streams.add({ name: 'S', subjects: ['s'] });
    expect((await connection.client.jetstream().publish('s', 'x')).seq).toBe(1);
  });

  it('is gone after it was disposed of, and gives the store free', async () => {
    await using temp = await tempDir();
    const server = await start(temp.path);
    const pid = server.pid ?? 0;
    await server[Symbol.asyncDispose]();
    expect(await isGone(pid)).toBe(true);
    await using second = await start(temp.path);
    expect(second.pid).not.toBe(pid);
  });

  it('is started again on the same port with its data when it is killed', async () => {
    await using temp = await tempDir();
    await using server = await start(temp.path);
    await using connection = await connected(server.url);
    await (await connection.client.jetstreamManager()).streams.add({ name: 'S', subjects: ['s'] });
    await connection.client.jetstream().publish('s', 'x');
    const restarted = new Promise<void>((resolve) => server.onRestart(resolve));
    const before = server.pid ?? 0;
    systemProcesses.signal(before, 'SIGKILL');
    await restarted;
    expect(server.pid).not.toBe(before);
    await using again = await connected(server.url);
    expect((await (await again.client.jetstreamManager()).streams.info('S')).state.messages).toBe(1);
  });

  it('syncs every acknowledged message and listens for clients only', async () => {
    await using temp = await tempDir();
    await using server = await start(temp.path);
    const config = await readFile(join(temp.path, 'nats/nats-server.conf'), 'utf8');
    expect(config).toContain('sync_interval: always');
    const ports = await readFile(join(temp.path, `nats/nats-server_${String(server.pid)}.ports`), 'utf8');
    expect(JSON.parse(ports)).toEqual({ nats: [server.url] });
  });

  it('refuses a store whose owner lives', async () => {
    await using temp = await tempDir();
    await using first = await owner(temp.path);
    await expect(start(temp.path)).rejects.toMatchObject({
      code: 'DATA_DIRECTORY_IN_USE',
      context: { pid: first.process.pid },
    });
    expect(await isGone(first.serverPid)).toBe(false);
  });

  it('ends the server that a killed owner left on the store, and takes its place', async () => {
    await using temp = await tempDir();
    await using first = await owner(temp.path);
    await first.kill();
    expect(await isGone(first.serverPid)).toBe(false);
    await using server = await start(temp.path);
    expect(await isGone(first.serverPid)).toBe(true);
    expect(server.pid).not.toBe(first.serverPid);
  });

  it('says that the port is in use', async () => {
    await using temp = await tempDir();
    await using other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const address = other.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    await expect(start(temp.path, { port })).rejects.toMatchObject({
      code: 'PORT_IN_USE',
      message: expect.stringContaining(String(port)) as string,
    });
  });

  it('says why a program that is no nats-server does not start, and gives the store free', async () => {
    await using temp = await tempDir();
    await expect(start(temp.path, { binary: '/bin/false' })).rejects.toMatchObject({ code: 'NATS_SERVER_FAILED' });
    await expect(start(temp.path, { binary: '/nowhere' })).rejects.toMatchObject({
      message: expect.stringContaining('ENOENT') as string,
    });
    await using server = await start(temp.path);
    expect(server.pid).toBeTypeOf('number');
  });
});

describe('the nats-server of tests', () => {
  it('comes back on its port with its store after a kill', async () => {
    await using server = await natsServer();
    const { port } = server;
    {
      await using connection = await connected(server.url);
      await (await connection.client.jetstreamManager()).streams.add({ name: 'S', subjects: ['s'] });
    }
    const pid = server.pid ?? 0;
    await server.kill();
    expect(await eventually('the process is gone', () => isGone(pid))).toBe(true);
    await server.restart();
    expect(server.port).toBe(port);
    await using again = await connected(server.url);
    expect((await (await again.client.jetstreamManager()).streams.info('S')).config.name).toBe('S');
  });
});

async function connected(url: string): Promise<{ client: Awaited<ReturnType<typeof connect>> } & AsyncDisposable> {
  const client = await connect({ servers: url, reconnect: false });
  return { client, [Symbol.asyncDispose]: () => client.close() };
}
