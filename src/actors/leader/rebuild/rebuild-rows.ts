import { type RuleDocument } from '../../../messages/documents.ts';
import { type LocalDatabase, type SqlValue } from '../../../engine/engine.ts';

/** What the catalogue has of a segment. */
export interface RebuildRow {
  /** 0: nothing of it was ever published. */
  readonly version: number;
  readonly sizeBytes: number;
  readonly sha256: string | null;
  readonly schema: string | null;
  readonly modifiedMs: number;
  /** Cold storage has a file of it. */
  readonly isInCold: boolean;
}

type KeptRule = Pick<RuleDocument, 'segment' | 'copies' | 'tier' | 'sinceMs'>;

/** The catalogue as a rebuild asks for it, in the leader's own database. */
export class RebuildRows {
  readonly #database: LocalDatabase;

  constructor(database: LocalDatabase) {
    this.#database = database;
  }

  /** Whether all of cold storage was listed since then. */
  async isListedSince(ms: number): Promise<boolean> {
    return (await this.#database.all('select 1 from listed where at_ms >= ?', [ms])).length > 0;
  }

  async of(ids: readonly string[]): Promise<ReadonlyMap<string, RebuildRow>> {
    const sql = `select id, version, bytes, sha256, schema, modified_ms, vanished from segments
      where id in (select value from json_each(?))`;
    const rows = await this.#database.all(sql, [JSON.stringify(ids)]);
    return new Map(rows.map((row) => [String(row[0]), rowOf(row)]));
  }

  async count(): Promise<number> {
    const [row] = await this.#database.all('select coalesce(sum(segments), 0) from sums');
    return Number(row?.[0]);
  }

  /** The schemas that segments are known to have been made by, with how many of them. */
  async schemas(): Promise<ReadonlyMap<string, number>> {
    const rows = await this.#database.all(
      'select schema, count(*) from segments where schema is not null group by schema',
    );
    return new Map(rows.map(([schema, many]) => [String(schema), Number(many)]));
  }

  /** What operators asked for single segments, as far as this process has seen it. */
  async rules(): Promise<readonly KeptRule[]> {
    const sql = 'select id, copies, tier, since_ms from rules where copies is not null or tier is not null order by id';
    const rows = await this.#database.all(sql);
    return rows.map(([id, copies, tier, sinceMs]) => ({
      segment: String(id),
      copies: copies === null ? null : Number(copies),
      tier: tier === 'hot' || tier === 'cold' ? tier : null,
      sinceMs: Number(sinceMs),
    }));
  }
}

function rowOf([, version, bytes, sha256, schema, modifiedMs, vanished]: readonly SqlValue[]): RebuildRow {
  return {
    version: Number(version),
    sizeBytes: Number(bytes),
    sha256: typeof sha256 === 'string' ? sha256 : null,
    schema: typeof schema === 'string' ? schema : null,
    modifiedMs: Number(modifiedMs),
    isInCold: vanished === 0 && Number(version) > 0,
  };
}
