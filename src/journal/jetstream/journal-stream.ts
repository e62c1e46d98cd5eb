import { TroughError } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { type Clock } from '../../runtime/clock.ts';
import { pause } from '../../runtime/pause.ts';
import { unreachable } from '../journal-errors.ts';
import { type Failure, type JournalApi, type StreamInfo } from './journal-api.ts';
import { whenConnected } from './waiting.ts';

export interface StreamWishes {
  /** Undefined: three in a cluster, else one; a stream that is there keeps what it has. */
  readonly replicas: number | undefined;
  /** Of a new stream. */
  readonly limitBytes: number;
  /** A stream that is there gets that limit as well. */
  readonly adapt: boolean;
}

export interface EnsureDeps {
  readonly api: JournalApi;
  readonly log: Log;
  readonly clock: Clock;
  /** How long JetStream may take to be ready. */
  readonly readyMs: number;
  readonly signal: AbortSignal;
}

/** Retries carry their own expectation; the server's memory of ids costs it 100 bytes and more for each record of this time. */
const ID_WINDOW_NS = 30_000_000_000;
/** What the records' safety rests on. A server that is too old drops what it does not know. */
const DEMANDED = {
  storage: 'file',
  retention: 'limits',
  discard: 'new',
  allow_atomic: true,
  allow_direct: true,
} as const;

/**
 * Makes sure of one stream; several processes may do so at once. Undefined: the server has no room for a new one of that limit.
 * Errors: JOURNAL_UNREACHABLE, NATS_SERVER_TOO_OLD, CONFIG_INVALID.
 */
export async function ensureStream(
  deps: EnsureDeps,
  stream: string,
  wishes: StreamWishes,
): Promise<StreamInfo | undefined> {
  const { api, log, clock, signal } = deps;
  const until = clock.monotonic() + deps.readyMs;
  for (let restMs = 50; ; restMs = Math.min(restMs * 2, 1_000)) {
    const info = await addOrAdapt(deps, stream, wishes);
    if (!('kind' in info)) {
      demand(info, api.nameOf(stream));
      return info;
    }
    if (info.kind === 'no room') return undefined;
    const { reason } = info;
    if (signal.aborted || clock.monotonic() > until)
      throw unreachable(`stream ${api.nameOf(stream)} of the journal is not ready`, reason, signal.reason);
    log.debug({ stream: api.nameOf(stream), reason }, 'journal stream is not ready yet');
    await pause(clock, restMs, signal);
    await whenConnected(api.requests, signal);
  }
}

interface NoRoom {
  readonly kind: 'no room';
}

async function addOrAdapt(
  deps: EnsureDeps,
  stream: string,
  wishes: StreamWishes,
): Promise<StreamInfo | Failure | NoRoom> {
  const { api } = deps;
  const present = await infoOf(api, stream);
  if (present === undefined) return add(deps, stream, wishes);
  return 'kind' in present ? present : adapt(deps, stream, wishes, present);
}

/** Undefined: it is not there. */
async function infoOf(api: JournalApi, stream: string): Promise<StreamInfo | Failure | undefined> {
  try {
    return await api.info(stream);
  } catch (error) {
    if (error instanceof TroughError && error.code === 'JOURNAL_LOST') return undefined;
    throw error;
  }
}

async function add(
  { api }: EnsureDeps,
  stream: string,
  { replicas, limitBytes }: StreamWishes,
): Promise<StreamInfo | Failure | NoRoom> {
  const inCluster = api.requests.connection.info?.cluster !== undefined;
  const name = api.nameOf(stream);
  const made = await api.call(`STREAM.CREATE.${name}`, {
    ...DEMANDED,
    name,
    subjects: [api.subjectsOf(stream)],
    description: 'journal of trough: acknowledged writes that are not in cold storage yet',
    max_age: 0,
    max_bytes: limitBytes,
    max_msgs: -1,
    max_msgs_per_subject: -1,
    num_replicas: replicas ?? (inCluster ? 3 : 1),
    duplicate_window: ID_WINDOW_NS,
    deny_delete: true,
    deny_purge: false,
  });
  if (made.kind === 'done') return made.value as StreamInfo;
  return isNoSpace(made) ? { kind: 'no room' } : { kind: 'failed', reason: made.reason };
}

const NO_SPACE = [10047, 10023, 10122];
const NO_PEERS = 10005;

function isNoSpace({ reason, error }: { reason: string; error?: { err_code?: number } }): boolean {
  const number = error?.err_code ?? 0;
  return NO_SPACE.includes(number) || (number === NO_PEERS && reason.includes('insufficient storage'));
}

/** The limit and the replicas follow the settings; a limit is never lowered below what would leave no room. */
async function adapt(
  { api, log }: EnsureDeps,
  stream: string,
  { replicas, limitBytes, adapt: isAsked }: StreamWishes,
  present: StreamInfo,
): Promise<StreamInfo | Failure> {
  const { config } = present;
  const wanted = {
    max_bytes: !isAsked || leavesNoRoom(limitBytes, present) ? config.max_bytes : limitBytes,
    num_replicas: replicas ?? config.num_replicas,
  };
  if (wanted.max_bytes === config.max_bytes && wanted.num_replicas === config.num_replicas) return present;
  const changed = await api.call(`STREAM.UPDATE.${api.nameOf(stream)}`, { ...config, ...wanted });
  if (changed.kind === 'done') {
    log.info({ stream: api.nameOf(stream), ...wanted }, 'journal stream was given other limits');
    return changed.value as StreamInfo;
  }
  log.warn({ stream: api.nameOf(stream), ...wanted, reason: changed.reason }, 'journal stream keeps its limits');
  return present;
}

function leavesNoRoom(limitBytes: number, { config, state }: StreamInfo): boolean {
  return limitBytes < (config.max_bytes ?? 0) && state.bytes * 2 > limitBytes;
}

function demand({ config }: StreamInfo, name: string): void {
  for (const [key, value] of Object.entries(DEMANDED)) {
    if (config[key] === value) continue;
    if (key.startsWith('allow_') && config[key] === undefined) throw tooOld(name, key);
    const message = `stream ${name} exists with ${key} ${String(config[key])}: a journal needs ${String(value)}`;
    throw new TroughError('CONFIG_INVALID', message, { stream: name });
  }
  const age = config['max_age'];
  if (typeof age === 'number' && age > 0)
    throw new TroughError('CONFIG_INVALID', `stream ${name} drops old records: its max_age must be 0`, {
      stream: name,
    });
}

function tooOld(name: string, what: string): TroughError {
  const message = `the NATS server of stream ${name} does not know ${what}: 2.12 or newer is needed, 2.15.2 was tested`;
  return new TroughError('NATS_SERVER_TOO_OLD', message, { stream: name });
}
