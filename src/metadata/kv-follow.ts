import { TroughError } from '../errors.ts';
import { type Log } from '../log.ts';
import { type KvApi, asUnreachable } from './kv-api.ts';
import { KvTail, type TailMessage } from './kv-tail.ts';
import { systemClock } from '../runtime/clock.ts';
import { pause } from '../runtime/pause.ts';

export type FollowEvent =
  | ({ readonly kind: 'message' } & TailMessage)
  /** All that the leader had when the reading began, or began again, has come; as of `revision`. */
  | { readonly kind: 'complete'; readonly revision: number }
  /** The stream is another one, or went back: what came before counts no more, everything comes again. */
  | { readonly kind: 'restart' };

export interface FollowOptions {
  readonly api: KvApi;
  readonly log: Log;
  readonly prefix: string;
  readonly signal: AbortSignal;
  /** Without any success for so long it throws METADATA_UNREACHABLE. Absent: never. */
  readonly giveUpMs?: number;
  /** Called with what interrupted the reading; makes the stream again if that is gone. */
  readonly ensure: (error: unknown) => Promise<void>;
}

const REST = { firstMs: 20, mostMs: 1_000 };

interface Position {
  created: string;
  /** The newest revision seen. */
  seen: number;
}

/**
 * Every message of a prefix in the order of the stream, none missed and none twice, from reader to reader across every kind of
 * interruption, until the signal fires.
 */
export async function* follow(options: FollowOptions): AsyncGenerator<readonly FollowEvent[]> {
  const { signal, log, prefix } = options;
  const position: Position = { created: '', seen: 0 };
  let restMs = REST.firstMs;
  let wellAt = performance.now();
  while (!isOver(signal)) {
    try {
      for await (const events of readOnce(options, position)) {
        restMs = REST.firstMs;
        yield events;
        wellAt = performance.now();
      }
    } catch (error) {
      if (isOver(signal)) return;
      const failure = asUnreachable(error, `reading '${prefix}' was interrupted`);
      if (options.giveUpMs !== undefined && performance.now() - wellAt > options.giveUpMs) throw failure;
      log.debug({ prefix, err: failure, restMs }, 'reading of metadata interrupted, goes on from where it was');
      await ensureAgain(options, error);
    }
    await pause(systemClock, restMs * (0.5 + Math.random() / 2), signal);
    restMs = Math.min(restMs * 2, REST.mostMs);
  }
}

/** Behind a function: the signal fires while something is awaited. */
function isOver(signal: AbortSignal): boolean {
  return signal.aborted;
}

async function ensureAgain({ ensure, log, prefix }: FollowOptions, error: unknown): Promise<void> {
  try {
    await ensure(error);
  } catch (ensureError) {
    log.warn({ prefix, err: TroughError.from(ensureError) }, 'metadata stream cannot be made sure of');
  }
}

/** One reader, from where the last one ended. The order matters: what the leader has is asked before the reader starts. */
async function* readOnce(options: FollowOptions, position: Position): AsyncGenerator<readonly FollowEvent[]> {
  const { api, signal, log, prefix } = options;
  const filter = api.filterOf(prefix);
  const { created, state } = await api.info();
  if (position.created !== '' && (created !== position.created || state.last_seq < position.seen)) {
    const fields = { prefix, seen: position.seen, last: state.last_seq, created };
    log.error(fields, 'metadata stream is not the one that was read before; everything is read again');
    position.seen = 0;
    yield [{ kind: 'restart' }];
  }
  position.created = created;
  const barrier = (await api.last(filter))?.revision ?? 0;
  let complete = false;
  for await (const { messages, pending } of new KvTail(api, signal).read(filter, position.seen + 1)) {
    const events: FollowEvent[] = messages.map((message) => ({ kind: 'message', ...message }));
    position.seen = Math.max(position.seen, messages.at(-1)?.revision ?? 0);
    // A reader on a server that is behind may say that nothing is pending: what the leader had must have come as well.
    if (!complete && pending === 0 && position.seen >= barrier) {
      complete = true;
      events.push({ kind: 'complete', revision: Math.max(state.last_seq, position.seen) });
    }
    if (events.length > 0) yield events;
  }
}
