import { TroughError } from '../errors.ts';
import { type KvApi, type KvWrite, type StoredValue } from './kv-api.ts';
import { systemClock } from '../runtime/clock.ts';
import { pause } from '../runtime/pause.ts';

export interface KvWriterOptions {
  /** When an outcome is still not known after so long, the caller is told so. */
  readonly deadlineMs: number;
}

/** What of the API a writer needs. */
type WriteApi = Pick<KvApi, 'publish' | 'last' | 'subjectOf'>;

/** What stands where the write expected something else; undefined: nothing does. */
export interface Obstacle {
  readonly found: StoredValue | undefined;
}

/**
 * Publishes one write until its outcome is known: the same message again, with the same id and expectation, then a look at the key's last
 * message at the leader. The expectation, not the server's window of ids, is what makes it happen at most once.
 */
export class KvWriter {
  readonly #api: WriteApi;
  readonly #options: KvWriterOptions;

  constructor(api: WriteApi, options: KvWriterOptions) {
    this.#api = api;
    this.#options = options;
  }

  /** The revision, or the value that stands in the way. METADATA_UNREACHABLE with `outcome: 'unknown'` when neither can be learned. */
  async write(write: KvWrite, signal: AbortSignal): Promise<number | Obstacle> {
    const until = performance.now() + this.#options.deadlineMs;
    let reason = 'the caller gave up';
    let mayHaveLanded = false;
    for (;;) {
      if (signal.aborted || performance.now() > until) {
        throw mayHaveLanded ? unknownOutcome(write, reason, signal) : notWritten(write, reason, signal);
      }
      const outcome = await this.#api.publish(write);
      switch (outcome.kind) {
        case 'stored':
          return outcome.revision;
        case 'impossible':
          throw new TroughError('METADATA_BROKEN', `${write.key} cannot be written: ${outcome.reason}`, {
            key: write.key,
          });
        case 'refused': {
          const settled = await this.#look(write, mayHaveLanded);
          if (settled === 'hidden') throw unknownOutcome(write, 'it was changed again since', signal);
          if (settled === 'unreadable') reason = 'the last value cannot be read';
          else if (settled !== 'again') return settled;
          mayHaveLanded ||= outcome.underWay;
          break;
        }
        case 'unknown':
          mayHaveLanded = true;
          reason = outcome.reason;
      }
      await pause(systemClock, 20 + Math.random() * 80, signal);
    }
  }

  /**
   * What the key's last message says about a refused write. `hidden`: the write may have landed and been replaced by another since;
   * a bucket keeps only the last message of a key, so nobody can tell.
   */
  async #look(write: KvWrite, mayHaveLanded: boolean): Promise<number | Obstacle | 'again' | 'hidden' | 'unreadable'> {
    let found: StoredValue | undefined;
    try {
      found = await this.#api.last(this.#api.subjectOf(write.key));
    } catch {
      return 'unreadable'; // Tried again by the caller, until its deadline.
    }
    if (found?.messageId === write.messageId) return found.revision;
    if ((found?.revision ?? 0) === write.expected) return 'again';
    if (mayHaveLanded && found?.replaced !== write.expected) return 'hidden';
    return { found };
  }
}

function unknownOutcome(write: KvWrite, reason: string, signal: AbortSignal): TroughError {
  const cause: unknown = signal.aborted ? signal.reason : undefined;
  const message = `it is not known whether ${write.key} was written: ${reason}`;
  return new TroughError('METADATA_UNREACHABLE', message, { key: write.key, outcome: 'unknown' }, cause);
}

function notWritten(write: KvWrite, reason: string, signal: AbortSignal): TroughError {
  const cause: unknown = signal.aborted ? signal.reason : undefined;
  return new TroughError(
    'METADATA_UNREACHABLE',
    `${write.key} was not written: ${reason}`,
    { key: write.key, outcome: 'none' },
    cause,
  );
}
