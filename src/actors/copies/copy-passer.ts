import { createHash } from 'node:crypto';
import { type Disk } from '../../disk/disk.ts';
import { TroughError } from '../../errors.ts';
import { type FileRequest, type FoundBy, type PassedFile } from '../../messages/copy-report.ts';
import { parseSegmentId, type SegmentId } from '../../model/segment-id.ts';
import { type Emit } from '../../runtime/actor.ts';
import { type CopyRecord, type Inventory } from './inventory.ts';

export interface CopyPasserDeps {
  readonly disk: Disk;
  readonly inventory: Inventory;
  readonly emit: Emit<{
    readonly kind: 'damaged';
    readonly segment: SegmentId;
    readonly version: number;
    readonly foundBy: FoundBy;
  }>;
}

/** Gives the copies of this node to others that have lost theirs. */
export class CopyPasser {
  readonly #deps: CopyPasserDeps;

  constructor(deps: CopyPasserDeps) {
    this.#deps = deps;
  }

  /** SEGMENT_UNKNOWN when that version is not here. The body ends with SEGMENT_DAMAGED when it was not what it should be: then this copy is bad too. */
  async pass({ segment, version, sha256 }: FileRequest): Promise<PassedFile> {
    const id = parseSegmentId(segment);
    const { inventory } = this.#deps;
    const record = await inventory.record(id);
    const copy = inventory.copy(id);
    if (copy === undefined || record?.version !== version || (sha256 !== null && record.sha256 !== sha256)) {
      throw new TroughError('SEGMENT_UNKNOWN', `there is no copy of version ${String(version)} here`, { segment });
    }
    return { sha256: record.sha256, body: this.#checked(copy.file, record) };
  }

  async *#checked(file: string, { id, version, sha256 }: CopyRecord): AsyncIterable<Uint8Array> {
    const hash = createHash('sha256');
    for await (const piece of this.#deps.disk.read(file)) {
      hash.update(piece);
      yield piece;
    }
    if (hash.digest('hex') === sha256 || this.#deps.inventory.held(id)?.version !== version) return;
    this.#deps.emit({ kind: 'damaged', segment: id, version, foundBy: 'read' });
    throw new TroughError('SEGMENT_DAMAGED', `the copy of '${id}' here is damaged too`, { segment: id });
  }
}
