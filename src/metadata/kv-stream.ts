import { DiscardPolicy, NatsError, RetentionPolicy, type StreamConfig, StorageType } from 'nats';
import { TroughError } from '../errors.ts';
import { type Log } from '../log.ts';
import { type KvApi, asUnreachable } from './kv-api.ts';
import { systemClock } from '../runtime/clock.ts';
import { pause } from '../runtime/pause.ts';

export interface KvStreamOptions {
  readonly log: Log;
  /** Copies that NATS keeps; without it three in a cluster, else one. */
  readonly replicas: number | undefined;
  /** How long JetStream may take to be ready, in ms. */
  readonly readyMs: number;
}

/** The stream is there with another configuration. */
const NAME_IN_USE = 10058;
const NO_STREAM = 10059;

/**
 * Makes sure of the bucket's stream; several processes may do so at once. It is laid out as the `nats kv` tools expect, so that they
 * can read it. A stream that is there already is taken as it is, if it keeps exactly one message per key.
 */
export async function ensureStream(api: KvApi, options: KvStreamOptions, signal: AbortSignal): Promise<void> {
  const until = performance.now() + options.readyMs;
  for (let restMs = 50; ; restMs = Math.min(restMs * 2, 1_000)) {
    try {
      await addOrCheck(api, options);
      return;
    } catch (error) {
      if (error instanceof TroughError) throw error;
      if (signal.aborted || performance.now() > until)
        throw asUnreachable(error, `metadata stream ${api.stream} is not ready`);
      options.log.debug({ stream: api.stream, err: error }, 'metadata stream is not ready yet');
    }
    await pause(systemClock, restMs, signal);
  }
}

export function isMissing(error: unknown): boolean {
  return error instanceof NatsError && error.api_error?.err_code === NO_STREAM;
}

async function addOrCheck(api: KvApi, { log, replicas }: KvStreamOptions): Promise<void> {
  const inCluster = api.connection.info?.cluster !== undefined;
  try {
    await api.manager.streams.add(configOf(api, replicas ?? (inCluster ? 3 : 1)));
  } catch (error) {
    if (!(error instanceof NatsError) || error.api_error?.err_code !== NAME_IN_USE) throw error;
    const { config } = await api.info();
    if (config.max_msgs_per_subject !== 1 || !config.subjects.includes(api.filterOf(''))) {
      const message = `stream ${api.stream} exists and is not a bucket that keeps one value per key`;
      throw new TroughError('METADATA_BROKEN', message, { stream: api.stream }, error);
    }
    log.debug({ stream: api.stream, replicas: config.num_replicas }, 'metadata stream is there with its own settings');
  }
}

function configOf(api: KvApi, replicas: number): Partial<StreamConfig> & { name: string } {
  return {
    name: api.stream,
    subjects: [api.filterOf('')],
    description: 'metadata of trough: everything here can be rebuilt',
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.New,
    num_replicas: replicas,
    max_msgs_per_subject: 1,
    allow_direct: true,
    allow_rollup_hdrs: true,
    deny_delete: true,
    deny_purge: false,
  };
}
