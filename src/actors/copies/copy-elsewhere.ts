import { createHash } from 'node:crypto';
import { TroughError } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { type SegmentId } from '../../model/segment-id.ts';
import { type Clock } from '../../runtime/clock.ts';
import { withDeadline } from '../../runtime/deadline.ts';
import { type CopyPeers } from './copy-peers.ts';
import { type Inventory } from './inventory.ts';

export interface CopyElsewhereDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly inventory: Inventory;
  readonly peers: Pick<CopyPeers, 'pass' | 'targets'>;
}

/** For reading a whole copy of another node. */
const READ_DEADLINE_MS = 600_000;

/**
 * Whether every node that the segment is placed on gives the very copy that is here, read to its last byte: what it says that it has would not do, as
 * cold storage has no file of it any more. False also when one does not answer.
 */
export async function isHeldElsewhere(deps: CopyElsewhereDeps, id: SegmentId, stopping: AbortSignal): Promise<boolean> {
  const { clock, log, inventory, peers } = deps;
  const record = await inventory.record(id);
  const nodes = peers.targets(id);
  if (record === undefined || nodes.length === 0) return false;
  const { version, sha256 } = record;
  try {
    for (const node of nodes) {
      const read = async (signal: AbortSignal): Promise<string> => {
        const { body } = await peers.pass(node, { segment: id, version, sha256 }, signal);
        const hash = createHash('sha256');
        for await (const piece of body) hash.update(piece);
        return hash.digest('hex');
      };
      if ((await withDeadline(clock, READ_DEADLINE_MS, read, stopping)) !== sha256) return false;
    }
    return true;
  } catch (error) {
    stopping.throwIfAborted();
    const fields = { actor: 'copier', segment: id, version, err: TroughError.from(error) };
    log.debug(fields, 'a copy that cold storage has no file of is not on all its nodes yet');
    return false;
  }
}
