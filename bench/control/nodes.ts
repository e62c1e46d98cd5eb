import { nodeLossStory } from '../../test/support/node-loss-story.ts';
import { say } from '../support/say.ts';

const READS_PER_SECOND = 200;
const COPIES = 2;
const NODES = 6;
const WITHIN_MS = 1_200_000;
/** Of what a node more is to have. */
const MOST_MOVED = 1.1;

/** Five real nodes with so many segments under a client that reads: the leader is killed with SIGKILL and comes back, a sixth joins. */
export async function measureNodes(segments: number): Promise<readonly string[]> {
  say(
    `  five processes on this machine, ${segments.toLocaleString('en-US')} segments of 8 KB, 2 copies, their own nats-server:`,
  );
  const { reads, moved, returnedFetched } = await nodeLossStory({
    segments,
    readsPerSecond: READS_PER_SECOND,
    withinMs: WITHIN_MS,
    say: (line) => {
      say(`    ${line}`);
    },
  });
  const share = (COPIES * segments) / NODES;
  const all = moved.toTheSixth + moved.toOthers;
  const ofShare = (copies: number): string => `${((100 * copies) / share).toFixed(1)} % of a sixth`;
  say(
    `    reads meanwhile: ${reads.reads.toLocaleString('en-US')}, ${reads.perSecond.toFixed(0)}/s of ${String(READS_PER_SECOND)} asked for; ` +
      `${String(reads.again)} were answered at their second try, ${String(reads.failed.length)} not at all; the slowest took ${reads.slowestMs.toFixed(0)} ms`,
  );
  say(`    the node that came back fetched ${returnedFetched.toLocaleString('en-US')} copies`);
  say(
    `    to the sixth moved ${moved.toTheSixth.toLocaleString('en-US')} copies, among the others ${String(moved.toOthers)}: ${ofShare(all)} of all`,
  );
  const failures = reads.failed.slice(0, 3).map((failed) => `a read failed twice: ${failed}`);
  if (all > share * MOST_MOVED) failures.push(`a node more moved ${ofShare(all)} of all copies`);
  return failures;
}
