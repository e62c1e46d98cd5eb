import { type LocalDatabase, type SqlValue } from '../../engine/engine.ts';
import { type CopyFiles, type LocalCopy } from '../../messages/local-files.ts';
import { type DataPaths } from '../../model/paths.ts';
import { parseSegmentId, type SegmentId } from '../../model/segment-id.ts';
import { CopyTable, type HeldCopy } from './copy-table.ts';

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
const PAGE = 'select id, version, size_bytes from copies where id > ? order by id limit 5000';
const RECORDS = 'select id, version, size_bytes, sha256, verified_at from copies where id > ? order by id limit 2000';
const OTHERS = `select c.id from json_each(?) j join copies c on c.id = j.value ->> 0
  where c.version = j.value ->> 1 and c.sha256 <> j.value ->> 2`;
const RECORD = 'select id, version, size_bytes, sha256, verified_at from copies where id = ?';

/**
 * The verified copies of this node, in its own database: a restart reads this and does not look at a million files. What a read asks for is in
 * memory, packed; the rest stays in the database.
 * A record is written after its file is in place and removed before its file is.
 */
export class Inventory implements CopyFiles {
  readonly #database: LocalDatabase;
  readonly #paths: DataPaths;
  readonly #held = new CopyTable();
  #storedBytes = 0;

  private constructor(database: LocalDatabase, paths: DataPaths) {
    this.#database = database;
    this.#paths = paths;
  }

  static async load(database: LocalDatabase, paths: DataPaths): Promise<Inventory> {
    const inventory = new Inventory(database, paths);
    for (let after: SqlValue | undefined = ''; after !== undefined;) {
      const rows: readonly (readonly SqlValue[])[] = await database.all(PAGE, [after]);
      // Only what was a segment id was ever written there.
      for (const [id, version, sizeBytes] of rows)
        inventory.#remember(id as SegmentId, { version: Number(version), sizeBytes: Number(sizeBytes) });
      after = rows.at(-1)?.[0];
    }
    return inventory;
  }

  get count(): number {
    return this.#held.size;
  }

  get storedBytes(): number {
    return this.#storedBytes;
  }

  copy(segment: SegmentId): LocalCopy | undefined {
    const held = this.#held.get(segment);
    return held === undefined ? undefined : { file: this.#paths.copy(segment), ...held };
  }

  /** What is held of it, without where. */
  held(segment: SegmentId): HeldCopy | undefined {
    return this.#held.get(segment);
  }

  async record(segment: SegmentId): Promise<CopyRecord | undefined> {
    if (this.#held.get(segment) === undefined) return undefined;
    const [row] = await this.#database.all(RECORD, [segment]);
    return row === undefined ? undefined : recordOf(row);
  }

  /** By id, the next after one; none when there are no more. */
  async recordsAfter(id: SegmentId | ''): Promise<readonly CopyRecord[]> {
    const rows = await this.#database.all(RECORDS, [id]);
    return rows.map(recordOf);
  }

  /** Those of them that are here in that version, with another content. */
  async others(
    rows: readonly (readonly [id: string, version: number, sha256: string])[],
  ): Promise<readonly SegmentId[]> {
    if (rows.length === 0) return [];
    const found = await this.#database.all(OTHERS, [JSON.stringify(rows)]);
    return found.map(([id]) => id as SegmentId);
  }

  ids(): Iterable<SegmentId> {
    return this.#held.ids();
  }

  async add(record: CopyRecord): Promise<void> {
    const { id, version, sizeBytes, sha256, verifiedMs } = record;
    await this.#database.run([
      {
        sql: 'insert or replace into copies values (?, ?, ?, ?, ?)',
        params: [id, version, sizeBytes, sha256, verifiedMs],
      },
    ]);
    this.#remember(id, { version, sizeBytes });
  }

  /** In one transaction. */
  async remove(ids: readonly SegmentId[]): Promise<void> {
    for (const id of ids) this.#forget(id);
    await this.#database.run([{ sql: 'delete from copies where id = ?', rows: ids.map((id) => [id]) }]);
  }

  #remember(id: SegmentId, held: HeldCopy): void {
    this.#storedBytes += held.sizeBytes - (this.#held.get(id)?.sizeBytes ?? 0);
    this.#held.set(id, held);
  }

  #forget(id: SegmentId): void {
    this.#storedBytes -= this.#held.get(id)?.sizeBytes ?? 0;
    this.#held.delete(id);
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
