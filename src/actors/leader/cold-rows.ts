import { type LocalDatabase, type SqlValue } from '../../engine/engine.ts';
import { parseSegmentId, type SegmentId } from '../../model/segment-id.ts';

/** A published segment, as the catalogue has it. */
export interface ColdRow {
  readonly id: SegmentId;
  readonly version: number;
  readonly sizeBytes: number;
  readonly sha256: string | null;
  readonly modifiedMs: number;
}

const COLUMNS = 'id, version, bytes, sha256, modified_ms';

/** What the catalogue says of cold storage, for those who compare. */
export class ColdRows {
  readonly #database: LocalDatabase;

  constructor(database: LocalDatabase) {
    this.#database = database;
  }

  /** By id, in byte order. */
  async page(after: string, limit: number): Promise<readonly ColdRow[]> {
    const sql = `select ${COLUMNS} from segments where id > ? and version > 0 order by id limit ?`;
    return (await this.#database.all(sql, [after, limit])).map(rowOf);
  }

  async of(ids: readonly SegmentId[]): Promise<ReadonlyMap<SegmentId, ColdRow>> {
    const sql = `select ${COLUMNS} from segments where id in (select value from json_each(?)) and version > 0`;
    const rows = (await this.#database.all(sql, [JSON.stringify(ids)])).map(rowOf);
    return new Map(rows.map((row) => [row.id, row]));
  }

  async total(): Promise<{ readonly segments: number; readonly bytes: number }> {
    const [row] = await this.#database.all('select coalesce(sum(segments), 0), coalesce(sum(bytes), 0) from sums');
    return { segments: Number(row?.[0]), bytes: Number(row?.[1]) };
  }
}

function rowOf([id, version, bytes, sha256, modifiedMs]: readonly SqlValue[]): ColdRow {
  return {
    id: parseSegmentId(id),
    version: Number(version),
    sizeBytes: Number(bytes),
    sha256: typeof sha256 === 'string' ? sha256 : null,
    modifiedMs: Number(modifiedMs),
  };
}
