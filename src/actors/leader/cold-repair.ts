import { type Leftover } from '../../cold/cold-care.ts';
import { type ColdFile } from '../../cold/cold-store.ts';
import { TroughError } from '../../errors.ts';
import { type ColdFinding, type RestoreAnswer, type RestoreRequest } from '../../messages/cold-check.ts';
import { type Published } from '../../messages/node-messages.ts';
import { type SegmentId } from '../../model/segment-id.ts';
import { type ColdRow } from './cold-rows.ts';

export type Copies = ColdFinding['copies'];
export type Repaired = Pick<ColdFinding, 'repaired' | 'repair'>;

/** Without `repair` in the request. */
export const ASK_FOR_REPAIR = '--repair was not asked for';

export interface ColdRepairDeps {
  /** Verified copies on the nodes that the segment is placed on. */
  readonly copiesOf: (segment: SegmentId) => Promise<Copies>;
  /** Has the node publish its copy once more. */
  readonly restore: (node: string, request: RestoreRequest) => Promise<RestoreAnswer>;
  /** Tells the catalogue what is in cold storage again. */
  readonly published: (segment: SegmentId, published: Published) => Promise<void>;
  /** Takes a file of somebody else into the catalogue. */
  readonly take: (file: ColdFile) => Promise<void>;
  readonly removeLeftover: (leftover: Leftover) => Promise<void>;
}

/** Mends what a check has found. Nothing that lies in cold storage is replaced, and of it only temporary files older than a day are deleted. */
export class ColdRepair {
  readonly #deps: ColdRepairDeps;

  constructor(deps: ColdRepairDeps) {
    this.#deps = deps;
  }

  copiesOf(segment: SegmentId): Promise<Copies> {
    return this.#deps.copiesOf(segment);
  }

  /** From the first node that has the very version that was lost and can read it. */
  async restore({ id, version, modifiedMs }: ColdRow, copies: Copies): Promise<Repaired> {
    const able = copies.filter((copy) => copy.version === version);
    if (able.length === 0)
      return not(copies.length === 0 ? 'no node has a copy' : 'no node has a copy of that version');
    const failures: string[] = [];
    for (const { node } of able) {
      try {
        const restored = await this.#deps.restore(node, { segment: id, version, modifiedMs });
        await this.#deps.published(id, { ...restored, version, modifiedMs });
        return { repaired: true, repair: `published again from the copy on ${node}` };
      } catch (error) {
        failures.push(`${node}: ${TroughError.from(error).message}`);
      }
    }
    return not(failures.join('; '));
  }

  async take(file: ColdFile): Promise<Repaired> {
    await this.#deps.take(file);
    return { repaired: true, repair: 'taken into the catalogue' };
  }

  async remove(leftover: Leftover): Promise<Repaired> {
    await this.#deps.removeLeftover(leftover);
    return { repaired: true, repair: 'removed' };
  }
}

export function not(why: string): Repaired {
  return { repaired: false, repair: why };
}
