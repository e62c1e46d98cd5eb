import { Events, type NatsConnection, connect } from 'nats';
import { TroughError } from '../errors.ts';
import { type Log } from '../log.ts';
import { type BusStatus } from './bus.ts';

export interface ConnectNatsOptions {
  /** `nats://[user:password@]host:port`, at least one. */
  readonly servers: readonly string[];
  /** How the connection is called in the server's lists. */
  readonly name: string;
  readonly log: Log;
  /** Ends the tries to reach a server. */
  readonly signal?: AbortSignal;
}

const OLDEST = [2, 12] as const;
const DIAL_MS = 2_000;
const RETRY = { firstMs: 100, mostMs: 2_000 };
const DRAIN_MS = 3_000;

/** The owner of one connection to NATS; handed to the bus and the metadata store, closed after them. */
export class NatsLink implements AsyncDisposable {
  readonly connection: NatsConnection;
  readonly #log: Log;
  readonly #hearers = new Set<(status: BusStatus) => void>();
  #status: BusStatus = 'connected';
  #disposed = false;

  constructor(connection: NatsConnection, log: Log) {
    this.connection = connection;
    this.#log = log;
    void this.#watch();
  }

  get status(): BusStatus {
    return this.#status;
  }

  /** Called at each change; returns the function that ends it. */
  onStatus(hear: (status: BusStatus) => void): () => void {
    this.#hearers.add(hear);
    return () => {
      this.#hearers.delete(hear);
    };
  }

  /** Sends out what was published, for at most three seconds, and closes. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    if (this.connection.isClosed()) return;
    if (this.#status === 'connected') await this.#drain();
    await this.connection.close();
  }

  async #drain(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, DRAIN_MS);
    });
    try {
      await Promise.race([this.connection.drain(), late]);
    } catch (error) {
      this.#log.debug({ err: error }, 'connection to NATS ended while it was drained');
    } finally {
      clearTimeout(timer);
    }
  }

  async #watch(): Promise<void> {
    for await (const { type, data } of this.connection.status()) {
      if (type === Events.Disconnect) this.#change('disconnected', data);
      else if (type === Events.Reconnect) this.#change('connected', data);
      else if (type === Events.Error) this.#log.warn({ reason: data }, 'NATS reports an error');
    }
    if (!this.#disposed) this.#log.error('connection to NATS was closed for good');
    this.#change('disconnected', 'closed');
  }

  #change(status: BusStatus, server: unknown): void {
    if (this.#status === status) return;
    this.#status = status;
    if (status === 'connected') this.#log.info({ server }, 'connected to NATS again');
    else if (!this.connection.isClosed()) this.#log.warn({ server }, 'connection to NATS lost, trying again');
    for (const hear of this.#hearers) hear(status);
  }
}

/**
 * Connects to the first server that answers, and keeps trying until one does. Refuses a server that is too old (NATS_SERVER_TOO_OLD) or
 * has no JetStream (NATS_SERVER_FAILED): older ones skip expectations and time limits without a word.
 */
export async function connectNats(options: ConnectNatsOptions): Promise<NatsLink> {
  if (options.servers.length === 0) throw new TroughError('CONFIG_INVALID', 'no NATS server is named');
  options.servers.forEach(asUrl);
  const connection = await dialUntilReached(options);
  try {
    refuseTooOld(connection);
    await refuseWithoutJetStream(connection);
  } catch (error) {
    await connection.close();
    throw error;
  }
  return new NatsLink(connection, options.log);
}

async function dialUntilReached(options: ConnectNatsOptions): Promise<NatsConnection> {
  let restMs = RETRY.firstMs;
  for (let tries = 1; ; tries += 1) {
    if (options.signal?.aborted === true) throw givenUp(options);
    try {
      return await dial(options);
    } catch (error) {
      if (tries === 1 || tries % 10 === 0) {
        const fields = { servers: options.servers.map(withoutPassword), tries, reason: reasonOf(error) };
        options.log.warn(fields, 'NATS is not reachable, trying again');
      }
    }
    await rest(restMs * (0.5 + Math.random() / 2), options.signal);
    restMs = Math.min(restMs * 2, RETRY.mostMs);
  }
}

function dial({ servers, name }: ConnectNatsOptions): Promise<NatsConnection> {
  const credentials = servers.map(credentialsOf).find(({ user }) => user !== '');
  return connect({
    servers: servers.map(hostOf),
    name,
    ...credentials,
    timeout: DIAL_MS,
    pingInterval: 1_000,
    maxPingOut: 2,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 60,
    reconnectJitter: 40,
    reconnectJitterTLS: 40,
    ignoreAuthErrorAbort: true,
    noAsyncTraces: true,
  });
}

function refuseTooOld(connection: NatsConnection): void {
  const version = connection.info?.version ?? '0.0.0';
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return;
  const needed = OLDEST.join('.');
  throw new TroughError('NATS_SERVER_TOO_OLD', `nats-server ${version} is too old: ${needed} or newer is needed`, {
    version,
  });
}

/** A server without JetStream of its own may be part of a system that has it: then its API answers. */
async function refuseWithoutJetStream(connection: NatsConnection): Promise<void> {
  if (connection.info?.jetstream === true) return;
  try {
    const manager = await connection.jetstreamManager({ timeout: DIAL_MS, checkAPI: false });
    await manager.getAccountInfo();
  } catch (error) {
    throw new TroughError('NATS_SERVER_FAILED', 'the NATS server has no JetStream; start it with -js', {}, error);
  }
}

function rest(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, delayMs);
    signal?.addEventListener('abort', done);
  });
}

function givenUp({ servers, signal }: ConnectNatsOptions): TroughError {
  const reason: unknown = signal?.reason;
  if (reason instanceof TroughError) return reason;
  return new TroughError(
    'BUS_UNREACHABLE',
    `no NATS server answered at ${servers.map(withoutPassword).join(', ')}`,
    {},
    reason,
  );
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function asUrl(server: string): URL {
  try {
    return new URL(server.includes('://') ? server : `nats://${server}`);
  } catch {
    // Without its cause, which would show the password.
    throw new TroughError('CONFIG_INVALID', `'${server.replace(/\/\/.*@/, '//')}' is not the address of a NATS server`);
  }
}

function hostOf(server: string): string {
  const url = asUrl(server);
  return `${url.hostname}:${url.port === '' ? '4222' : url.port}`;
}

function withoutPassword(server: string): string {
  return `nats://${hostOf(server)}`;
}

function credentialsOf(server: string): { user: string; pass: string } {
  const { username, password } = asUrl(server);
  return { user: decodeURIComponent(username), pass: decodeURIComponent(password) };
}
