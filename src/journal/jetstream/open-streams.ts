import { TroughError } from '../../errors.ts';
import { type StreamInfo } from './journal-api.ts';
import { type EnsureDeps, ensureStream } from './journal-stream.ts';

export interface StreamPlan {
  /** All that shall be open. */
  readonly streams: readonly string[];
  /** Undefined: the usual one or, where there is less room, an equal part of that; streams that are there keep what they have. */
  readonly limitBytes: number | undefined;
  readonly replicas: number | undefined;
}

/** Of one stream. */
const USUAL_LIMIT_BYTES = 4 * 1024 ** 3;
/** Little, but enough to start with on a disk that is nearly full. */
const LEAST_LIMIT_BYTES = 1024 * 1024;

/** Errors: those of `ensureStream`, and CONFIG_INVALID when the server has no room. */
export async function openStreams(deps: EnsureDeps, plan: StreamPlan): Promise<ReadonlyMap<string, StreamInfo>> {
  const { replicas } = plan;
  const opened = new Map<string, StreamInfo>();
  const made: string[] = [];
  let limitBytes = plan.limitBytes ?? USUAL_LIMIT_BYTES;
  const ensure = async (stream: string, adapt: boolean): Promise<boolean> => {
    const info = await ensureStream(deps, stream, { replicas, limitBytes, adapt });
    if (info === undefined) return false;
    opened.set(stream, info);
    if (info.did_create === true) made.push(stream);
    return true;
  };
  for (const stream of plan.streams) {
    while (!(await ensure(stream, plan.limitBytes !== undefined))) {
      if (plan.limitBytes !== undefined || limitBytes < LEAST_LIMIT_BYTES) throw noRoom(limitBytes);
      limitBytes = Math.floor(limitBytes / 2);
      for (const earlier of made) await ensure(earlier, true);
    }
  }
  if (limitBytes < (plan.limitBytes ?? USUAL_LIMIT_BYTES))
    deps.log.warn({ limitBytes }, 'the NATS server has too little room for journal streams of the usual size');
  return opened;
}

function noRoom(limitBytes: number): TroughError {
  const message =
    `JetStream of the NATS servers has no room for a journal stream of ${String(limitBytes)} bytes: ` +
    'raise its max_file_store, free disk space, or lower journalSize';
  return new TroughError('CONFIG_INVALID', message, { limitBytes });
}
