import { type Msg } from 'nats';
import { type Clock } from '../../runtime/clock.ts';
import { pause } from '../../runtime/pause.ts';
import { lost, unreachable } from '../journal-errors.ts';
import { type JournalKey, type JournalRange, type NamedRecord } from '../journal.ts';
import { type JournalApi, MESSAGE_ID } from './journal-api.ts';
import { type Requests } from './requests.ts';
import { type Connectedness, whenConnected } from './waiting.ts';

type ReplayApi = Pick<JournalApi, 'nameOf' | 'idOf' | 'keyNameOf' | 'look'> & {
  readonly requests: Connectedness & Pick<Requests, 'open'>;
};

export interface ReplayDeps {
  readonly api: ReplayApi;
  readonly clock: Clock;
  readonly ended: AbortSignal;
  /** A key without what is read for is taken for lost when the leader says so for so long. */
  readonly lostAfterMs: number;
}

export interface Stretch {
  readonly key: JournalKey;
  /** With a wildcard in it: several keys, in the stream's order. */
  readonly subject: string;
  readonly from: number;
  readonly through: number;
  readonly most?: JournalRange['most'];
}

/** Of one request. */
const MOST_RECORDS = 1_000;
const MOST_BYTES = 2 * 1024 * 1024;
/** So long without a message, and the rest of a batch is taken for lost. */
const SILENCE_MS = 1_000;
const BEHIND_MS = 20;
/** After so many vain tries the leader is asked whether what is read for is still there. */
const ASK_AFTER = 3;

interface Batch {
  readonly records: readonly NamedRecord[];
  /** It came whole: nothing between its first and its last record is missing. */
  readonly complete: boolean;
}

/**
 * The records of one subject, read in batches by direct get, the next one asked for while one is consumed. Any server of the stream may answer, also one
 * that is behind: what must be there at the end is what the caller says, and until it has come the question is put again.
 */
export async function* replay(
  deps: ReplayDeps,
  { key, subject, from, through, most }: Stretch,
): AsyncGenerator<NamedRecord> {
  const { api, clock, ended } = deps;
  let next = Math.max(1, from);
  let vain = 0;
  let vainSince = 0;
  let coming: Promise<Batch> | undefined = undefined;
  while (next <= through) {
    const { records, complete } = await (coming ?? readBatch(deps, { key, subject, from: next, most }));
    coming = undefined;
    if (ended.aborted)
      throw unreachable(`the journal of ${key.name} cannot be read`, 'the wait was ended', ended.reason);
    const reached = records.at(-1)?.sequence;
    if (reached !== undefined) {
      vain = 0;
      next = reached + 1;
      if (complete && next <= through && most === undefined) coming = readBatch(deps, { key, subject, from: next });
      for (const record of records) if (record.sequence <= through) yield record;
      if (most !== undefined) return;
      continue;
    }
    vain += 1;
    if (vain === 1) vainSince = clock.monotonic();
    if (vain % ASK_AFTER === 0) {
      const ahead = await api.look({ key, subject }, next);
      // A record further on shows that the leader is not behind: what was read for has been purged.
      if (ahead.kind === 'found' && (ahead.record?.sequence ?? 0) > through) return;
      const isLate = clock.monotonic() - vainSince >= deps.lostAfterMs;
      if (ahead.kind === 'found' && ahead.record === undefined && isLate)
        throw lost(key.stream, `does not have ${key.name} up to ${String(through)}`);
    }
    if (vain > 1 || !complete) await pause(clock, BEHIND_MS, ended);
    await whenConnected(api.requests, ended);
  }
}

/** Ends with what has come so far when the rest is late, lost or cannot come. */
function readBatch({ api, ended }: ReplayDeps, { key, subject, from, most }: Omit<Stretch, 'through'>): Promise<Batch> {
  return new Promise((resolve) => {
    const records: NamedRecord[] = [];
    let timer: NodeJS.Timeout | undefined = undefined;
    const finish = (complete: boolean): void => {
      clearTimeout(timer);
      stop();
      ended.removeEventListener('abort', giveUp);
      resolve({ records, complete });
    };
    const giveUp = (): void => {
      finish(false);
    };
    const batch = Math.min(most?.records ?? MOST_RECORDS, MOST_RECORDS);
    const max_bytes = Math.min(most?.bytes ?? MOST_BYTES, MOST_BYTES);
    const question = JSON.stringify({ seq: from, next_by_subj: subject, batch, max_bytes });
    const stop = api.requests.open(`$JS.API.DIRECT.GET.${api.nameOf(key.stream)}`, question, {
      hear: (message) => {
        const record = decode(api, message, records.at(-1)?.sequence);
        if (record === 'end' || record === 'gap') finish(record === 'end');
        else records.push(record);
        timer?.refresh();
      },
      end: giveUp,
    });
    timer = setTimeout(giveUp, SILENCE_MS);
    ended.addEventListener('abort', giveUp);
  });
}

/** `end`: there is no more now. `gap`: something of the batch was lost on the way, or no server has the stream now. */
function decode(api: ReplayApi, message: Msg, previous: number | undefined): NamedRecord | 'end' | 'gap' {
  const { headers } = message;
  if (headers === undefined) return 'gap';
  if (headers.code !== 0) return headers.code === 204 || headers.code === 404 ? 'end' : 'gap';
  if (Number(headers.get('Nats-Last-Sequence')) !== (previous ?? 0)) return 'gap';
  return {
    sequence: Number(headers.get('Nats-Sequence')),
    name: api.keyNameOf(headers.get('Nats-Subject')),
    id: api.idOf(headers.get(MESSAGE_ID)),
    // A copy: the message is a part of what came over the network in one piece.
    body: message.data.slice(),
    timeMs: Date.parse(headers.get('Nats-Time-Stamp')),
  };
}
