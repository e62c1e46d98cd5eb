import { type LocalDatabase, type SqlValue } from '../../engine/engine.ts';
import { type CopyFiles, type LocalCopy } from '../../messages/local-files.ts';
import { type DataPaths } from '../../model/paths.ts';
import { parseSegmentId, type SegmentId } from '../../model/segment-id.ts';

export const INVENTORY_MIGRATIONS = [
  `create table copies (
     id text primary key, version integer not null, size_bytes integer not null, sha256 text not null, verified_at integer not null
   ) without rowid`,
];

export interface CopyRecord {
  readonly id: SegmentId;
  readonly version: number;
  readonly sizeBytes: number;
  readonly sha256: string;
  /** When its content was last compared, ms since 1970. */
  readonly verifiedMs: number;
}

/** In pages: all rows at once would be some hundred megabytes on the way between two processes. */
const PAGE = 'select id, version, size_bytes, sha256, verified_at from copies where id > ? order by id limit 5000';

/**
 * The verified copies of this node, in its own database: a restart reads this and does not look at a million files.
 * A record is written after its file is in place and removed before its file is.
 */
export class Inventory implements CopyFiles {
  readonly #database: LocalDatabase;
  readonly #paths: DataPaths;
  readonly #records = new Map<SegmentId, CopyRecord>();
  #storedBytes = 0;

  private constructor(database: LocalDatabase, paths: DataPaths) {
    this.#database = database;
    this.#paths = paths;
  }

  static async load(database: LocalDatabase, paths: DataPaths): Promise<Inventory> {
    const inventory = new Inventory(database, paths);
    for (let after: SqlValue | undefined = ''; after !== undefined;) {
      const rows = await database.all(PAGE, [after]);
      for (const row of rows) inventory.#remember(recordOf(row));
      after = rows.at(-1)?.[0];
    }
    return inventory;
  }

  get count(): number {
    return this.#records.size;
  }

  get storedBytes(): number {
    return this.#storedBytes;
  }

  copy(segment: SegmentId): LocalCopy | undefined {
    const record = this.#records.get(segment);
    if (record === undefined) return undefined;
    return { file: this.#paths.copy(segment), version: record.version, sizeBytes: record.sizeBytes };
  }

  record(segment: SegmentId): CopyRecord | undefined {
    return this.#records.get(segment);
  }

  ids(): Iterable<SegmentId> {
    return this.#records.keys();
  }

  async add(record: CopyRecord): Promise<void> {
    const { id, version, sizeBytes, sha256, verifiedMs } = record;
    await this.#database.run([
      {
        sql: 'insert or replace into copies values (?, ?, ?, ?, ?)',
        params: [id, version, sizeBytes, sha256, verifiedMs],
      },
    ]);
    this.#remember(record);
  }

  /** In one transaction. */
  async remove(ids: readonly SegmentId[]): Promise<void> {
    for (const id of ids) this.#forget(id);
    await this.#database.run(ids.map((id) => ({ sql: 'delete from copies where id = ?', params: [id] })));
  }

  #remember(record: CopyRecord): void {
    this.#forget(record.id);
    this.#records.set(record.id, record);
    this.#storedBytes += record.sizeBytes;
  }

  #forget(id: SegmentId): void {
    this.#storedBytes -= this.#records.get(id)?.sizeBytes ?? 0;
    this.#records.delete(id);
  }
}

function recordOf([id, version, sizeBytes, sha256, verifiedMs]: readonly SqlValue[]): CopyRecord {
  return {
    id: parseSegmentId(id),
    version: Number(version),
    sizeBytes: Number(sizeBytes),
    sha256: String(sha256),
    verifiedMs: Number(verifiedMs),
  };
}
