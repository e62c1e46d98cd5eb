import { type ReplayRecord, type WriteSession } from '../../engine/engine.ts';
import { appliedMark } from '../../model/applied-mark.ts';
import { type ChainSurvey } from './chain-survey.ts';
import { type Base } from './segment-base.ts';
import { type SegmentChain } from './segment-chain.ts';

const BATCH_RECORDS = 500;
const BATCH_BYTES = 4 * 1024 * 1024;
/** For a batch that was applied once already, each write of it within its own deadline. */
const REPLAY_DEADLINE_MS = 1_800_000;

/** The user's own `application_id`, in a file that has no mark yet or was made with one. */
export async function ownValue(session: WriteSession): Promise<number> {
  return session.applicationId ?? session.applied();
}

/**
 * Runs everything behind the base: the sequence whose mark the file has then. One that has the mark of the last write keeps it, for claims behind that
 * change nothing.
 */
export async function replayBehind(
  { session, sequence }: Base,
  chain: SegmentChain,
  survey: ChainSurvey,
  isNoted: boolean,
): Promise<number> {
  if (survey.lastData > sequence) return replay(session, chain, sequence);
  if (isNoted || session.applicationId !== undefined) return sequence;
  // From cold storage, with the user's own value in that field. The last record, for a mark from before a closing counts no more.
  await session.setApplicationId(appliedMark(chain.last));
  return chain.last;
}

/** The writes behind `sequence`, a batch at a time; the sequence of the last of them. */
async function replay(session: WriteSession, chain: SegmentChain, sequence: number): Promise<number> {
  let applied = sequence;
  let batch: ReplayRecord[] = [];
  let bytes = 0;
  const run = async (): Promise<void> => {
    await session.replay(batch, REPLAY_DEADLINE_MS);
    applied = batch.at(-1)?.sequence ?? applied;
    [batch, bytes] = [[], 0];
  };
  for await (const { stored, record } of chain.read(sequence + 1)) {
    if (record.kind !== 'data') continue;
    const { sqliteVersion, writes } = record;
    batch.push({ sequence: stored.sequence, sqliteVersion, writes });
    bytes += stored.body.length;
    if (batch.length >= BATCH_RECORDS || bytes >= BATCH_BYTES) await run();
  }
  if (batch.length > 0) await run();
  return applied;
}
