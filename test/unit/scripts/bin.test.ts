import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tempDir } from '../../support/temp-dir.ts';

const BIN = join(import.meta.dirname, '../../../bin');

function run(
  file: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: number; stdout: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [file, ...args], { env }, (error, stdout) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout });
    });
  });
}

describe('the trough command', () => {
  it('runs the program with its arguments, also through a link', async () => {
    await using temp = await tempDir();
    await cp(BIN, join(temp.path, 'package/bin'), { recursive: true });
    await mkdir(join(temp.path, 'package/dist'));
    await writeFile(join(temp.path, 'package/package.json'), '{"type":"module"}');
    await writeFile(
      join(temp.path, 'package/dist/main.js'),
      'console.log(process.argv.slice(2).join("|")); process.exitCode = 3;',
    );
    await symlink(join(temp.path, 'package/bin/trough.mjs'), join(temp.path, 'trough'));
    expect(await run(join(temp.path, 'trough'), ['query', 'a b'])).toEqual({ code: 3, stdout: 'query|a b\n' });
  });
});

describe('the health check of the container', () => {
  const check = (ports: Record<string, number>): Promise<{ code: number; stdout: string }> => {
    const all = {
      TROUGH_READ_PORT: 1,
      TROUGH_WRITE_PORT: 1,
      TROUGH_SYNC_MASTER_PORT: 1,
      TROUGH_SYNC_LOCAL_PORT: 1,
      ...ports,
    };
    const env = Object.fromEntries(Object.entries(all).map(([name, port]) => [name, String(port)]));
    return run(join(BIN, 'healthcheck.mjs'), [], env);
  };

  it('passes when every port that is used is healthy', async () => {
    await using server = await answering(200);
    expect(await check({ TROUGH_WRITE_PORT: server.port })).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('TROUGH_WRITE_PORT healthy\n') as string,
    });
  });

  it('fails when one is not', async () => {
    await using good = await answering(200);
    await using bad = await answering(503);
    expect((await check({ TROUGH_READ_PORT: good.port, TROUGH_WRITE_PORT: bad.port })).code).toBe(1);
  });

  it('fails when nothing listens at all', async () => {
    expect((await check({})).code).toBe(1);
  });
});

async function answering(status: number): Promise<{ port: number } & AsyncDisposable> {
  const server: Server = createServer((request, response) => {
    response.writeHead(request.url === '/healthz' ? status : 404).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' ? (address?.port ?? 0) : 0,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await server[Symbol.asyncDispose]();
    },
  };
}
