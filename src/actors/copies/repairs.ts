import { type Log } from '../../log.ts';
import { type CopyEvent, type FoundBy } from '../../messages/copy-report.ts';
import { type SegmentId } from '../../model/segment-id.ts';
import { type Emit } from '../../runtime/actor.ts';
import { type CopySource } from './copy-fetcher.ts';

export interface RepairsDeps {
  readonly node: string;
  readonly log: Log;
  readonly emit: Emit<CopyEvent>;
}

/** The copies here that were found missing or wrong: which of them are not replaced yet, and how many there were since the start. */
export class Repairs {
  readonly #deps: RepairsDeps;
  readonly #pending = new Set<SegmentId>();
  readonly found: Record<FoundBy, number> = { read: 0, scrub: 0, look: 0, manifest: 0 };
  readonly replaced: Record<CopySource, number> = { cold: 0, node: 0 };

  constructor(deps: RepairsDeps) {
    this.#deps = deps;
  }

  /** Those that are not replaced yet. */
  get pending(): number {
    return this.#pending.size;
  }

  has(id: SegmentId): boolean {
    return this.#pending.has(id);
  }

  begin(id: SegmentId, version: number, foundBy: FoundBy): void {
    const { node, log, emit } = this.#deps;
    this.#pending.add(id);
    this.found[foundBy] += 1;
    log.error({ actor: 'copier', segment: id, version, foundBy }, 'a copy is damaged or missing and is replaced');
    emit({ kind: 'copy-damaged', node, segment: id, version, foundBy });
  }

  /** A copy came in. */
  fetched(id: SegmentId, version: number, from: CopySource): void {
    if (!this.#pending.delete(id)) return;
    const { node, log, emit } = this.#deps;
    this.replaced[from] += 1;
    log.info({ actor: 'copier', segment: id, version, from }, 'a copy that was damaged or missing is replaced');
    emit({ kind: 'copy-replaced', node, segment: id, version, from });
  }

  /** It is not to be here any more. */
  drop(id: SegmentId): void {
    this.#pending.delete(id);
  }
}
