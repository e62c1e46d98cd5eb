import { type LocalDatabase, type SqlValue } from '../../engine/engine.ts';
import { type ManifestAnswer, type ManifestRow } from '../../messages/control.ts';
import { type RuleDocument } from '../../messages/documents.ts';
import { parseSegmentId, type SegmentId } from '../../model/segment-id.ts';
import { type SegmentTreatment } from '../../model/segment-rules.ts';
import { slotOf } from '../../model/slot.ts';
import { SlotSums } from '../../model/slot-sums.ts';

/** A slot that a node has, and its rank there: it holds the segments of the slot that have more copies than its rank. */
export type SlotRank = readonly [slot: number, rank: number];

/** `next`: where the page after this one begins. */
export type ManifestPage = Pick<ManifestAnswer, 'rows' | 'next'>;

/** One state of a segment in cold storage, as the catalogue takes it in. */
export interface CatalogueEntry {
  readonly id: SegmentId;
  readonly version: number;
  readonly sizeBytes: number;
  /** Known only for what this cluster published itself. */
  readonly sha256: string | null;
  /** null: as it was. */
  readonly schema: string | null;
  readonly modifiedMs: number;
}

/** What the catalogue has of a file in cold storage. */
export interface KnownFile {
  readonly key: number;
  readonly vanished: boolean;
  readonly version: number;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

/** In the order of COLUMNS. */
export type SegmentCells = readonly SqlValue[];

const COLUMNS = "id, slot, tier, version, size_bytes, lower(nullif(hex(sha256), '')), schema, copies, vanished";
const PUT = `insert into segment (id, slot, tier, copies, version, size_bytes, sha256, schema, modified_ms)
  values (?, ?, ?, ?, ?, ?, unhex(?), ?, ?)
  on conflict (id) do update set tier = excluded.tier, copies = excluded.copies, version = excluded.version, size_bytes = excluded.size_bytes,
    sha256 = excluded.sha256, schema = coalesce(excluded.schema, schema), modified_ms = excluded.modified_ms, vanished = 0`;
const GRANT = `insert into segment (id, slot, tier, copies, version, size_bytes, schema, modified_ms) values (?, ?, ?, ?, 0, 0, ?, 0)
  on conflict (id) do update set schema = coalesce(schema, excluded.schema), vanished = 0`;
/** Slots that one query of a manifest looks at, at first: each next one at twice as many, until the page is full. */
const FIRST_SLOTS = 8;

/** Rows of one run of the index by slot: 2 ** 19, see the tables. */
const RUN = 524_288;

/** The rows of the catalogue, in the database that keeps them: ten million of them, found by id, by slot, or in the order in which they came. */
export class CatalogueRows {
  readonly #database: LocalDatabase;
  readonly #rule: (id: string) => SegmentTreatment;

  constructor(database: LocalDatabase, rule: (id: string) => SegmentTreatment) {
    this.#database = database;
    this.#rule = rule;
  }

  /** All in one transaction. */
  async put(entries: readonly CatalogueEntry[]): Promise<void> {
    const rows = entries.map(({ id, version, sizeBytes, sha256, schema, modifiedMs }) => {
      const { tier, copies } = this.#rule(id);
      return [id, slotOf(id), tier, copies, version, sizeBytes, sha256, schema, modifiedMs] as const;
    });
    // In the order of the slots, so that those of one slot lie side by side.
    await this.#database.run([{ sql: PUT, rows: rows.sort(([, one], [, other]) => one - other) }]);
  }

  /** Segments that are open for writing; what is known of them already stays. */
  async grant(granted: readonly { readonly segment: SegmentId; readonly schema: string }[]): Promise<void> {
    const rows = granted.map(({ segment, schema }) => {
      const { tier, copies } = this.#rule(segment);
      return [segment, slotOf(segment), tier, copies, schema];
    });
    await this.#database.run([{ sql: GRANT, rows }]);
  }

  async remove(ids: readonly SegmentId[]): Promise<void> {
    await this.#database.run([{ sql: 'delete from segment where id = ?', rows: ids.map((id) => [id]) }]);
  }

  /** Sets tier and copies of those that are known as the rules have them now. */
  async treat(ids: readonly string[]): Promise<void> {
    const before = await this.these(ids);
    const changed = before.filter(([id, , tier, , , , , copies]) => {
      const now = this.#rule(String(id));
      return now.tier !== tier || now.copies !== copies;
    });
    const rows = changed.map(([id]) => [this.#rule(String(id)).tier, this.#rule(String(id)).copies, id ?? null]);
    if (rows.length > 0)
      await this.#database.run([{ sql: 'update segment set tier = ?, copies = ? where id = ?', rows }]);
  }

  /** What the metadata store has of rules for single segments, to be found without it. */
  async keepRules(rules: readonly RuleDocument[], gone: readonly string[]): Promise<void> {
    const put = 'insert or replace into rules values (?, ?, ?, ?, ?)';
    const rows = rules.map(({ segment, copies, tier, hot, sinceMs }) => [
      ...[segment, copies, tier, hot?.copies ?? null],
      sinceMs,
    ]);
    await this.#database.run([
      { sql: put, rows },
      { sql: 'delete from rules where id = ?', rows: gone.map((id) => [id]) },
    ]);
  }

  async keptRules(): Promise<readonly string[]> {
    return (await this.#database.all('select id from rules')).map(([id]) => String(id));
  }

  /** Whether tier and copies of all rows are by those settings. */
  async isSettledBy(settings: string): Promise<boolean> {
    return (await this.#database.all('select 1 from settled where settings = ?', [settings])).length > 0;
  }

  async settledBy(settings: string): Promise<void> {
    await this.#database.run([{ sql: 'insert or replace into settled values (1, ?)', params: [settings] }]);
  }

  /** False when it was not known, never published, or had vanished before. */
  async vanish(id: SegmentId): Promise<boolean> {
    const sql = 'select 1 from segment where id = ? and vanished = 0 and version > 0';
    if ((await this.#database.all(sql, [id])).length === 0) return false;
    await this.#database.run([{ sql: 'update segment set vanished = 1 where id = ?', params: [id] }]);
    return true;
  }

  async of(id: SegmentId): Promise<SegmentCells | undefined> {
    const [row] = await this.#database.all(`select ${COLUMNS} from segment where id = ?`, [id]);
    return row;
  }

  /** By id, in byte order. */
  page(after: string, tier: string | undefined, limit: number): Promise<readonly SegmentCells[]> {
    const where = tier === undefined ? '' : 'and tier = ?3';
    const params = tier === undefined ? [after, limit] : [after, limit, tier];
    return this.#database.all(`select ${COLUMNS} from segment where id > ?1 ${where} order by id limit ?2`, params);
  }

  these(ids: readonly string[]): Promise<readonly SegmentCells[]> {
    const sql = `select ${COLUMNS} from segment where id in (select value from json_each(?)) order by id`;
    return this.#database.all(sql, [JSON.stringify(ids)]);
  }

  async known(ids: readonly SegmentId[]): Promise<ReadonlyMap<string, KnownFile>> {
    const sql =
      'select id, key, version, size_bytes, modified_ms, vanished from segment where id in (select value from json_each(?))';
    const rows = await this.#database.all(sql, [JSON.stringify(ids)]);
    return new Map(
      rows.map(([id, key, version, size, modified, vanished]): [string, KnownFile] => [
        String(id),
        {
          ...{ key: Number(key), version: Number(version), sizeBytes: Number(size), modifiedMs: Number(modified) },
          vanished: vanished === 1,
        },
      ]),
    );
  }

  async lastKey(): Promise<number> {
    const [row] = await this.#database.all('select coalesce(max(key), 0) from segment');
    return Number(row?.[0]);
  }

  /** Keys of published segments that have not vanished, in their order, after `after` and up to `last`. */
  async keys(after: number, last: number, limit: number): Promise<readonly number[]> {
    const sql =
      'select key from segment where key > ? and key <= ? and version > 0 and vanished = 0 order by key limit ?';
    return (await this.#database.all(sql, [after, last, limit])).map(([key]) => Number(key));
  }

  /** Keys of all segments, in their order, after `after` and up to `last`. */
  async keysOf(after: number, last: number, limit: number): Promise<readonly number[]> {
    const sql = 'select key from segment where key > ? and key <= ? order by key limit ?';
    return (await this.#database.all(sql, [after, last, limit])).map(([key]) => Number(key));
  }

  /** Of these, the published ones of the hot tier, as a manifest names them. */
  async manifestOf(ids: readonly string[]): Promise<readonly ManifestRow[]> {
    const rows = await this.these(ids);
    return rows
      .filter(([, , tier, version]) => tier === 'hot' && Number(version) > 0)
      .map(([id, , , version, size, sha256]) => manifestRow([id, version, size, sha256]));
  }

  async ids(keys: readonly number[]): Promise<readonly SegmentId[]> {
    const sql = 'select id from segment where key in (select value from json_each(?)) order by key';
    return (await this.#database.all(sql, [JSON.stringify(keys)])).map(([id]) => parseSegmentId(id));
  }

  /** All of cold storage has been listed at this time. */
  async listed(atMs: number): Promise<void> {
    await this.#database.run([{ sql: 'insert or replace into listed values (1, ?)', params: [atMs] }]);
  }

  /** Whether all of cold storage was ever listed. */
  async isWhole(): Promise<boolean> {
    return (await this.#database.all('select 1 from listed')).length > 0;
  }

  async sums(): Promise<SlotSums> {
    const sql = 'select slot, tier, copies, segments, bytes from sums where segments > 0';
    const rows = await this.#database.all(sql);
    return new SlotSums(
      rows.map(([slot, tier, copies, segments, bytes]) => ({
        slot: Number(slot),
        tier: tier === 'cold' ? 'cold' : 'hot',
        copies: Number(copies),
        segments: Number(segments),
        bytes: Number(bytes),
      })),
    );
  }

  /** The published hot segments of the slots that have more copies than the rank, by slot, also those that vanished from cold storage: their copies are made anew from each other. `slots` in their order; `after` is the `next` of the page before. */
  async manifest(slots: readonly SlotRank[], after: string | undefined, limit: number): Promise<ManifestPage> {
    const [afterSlot = -1, afterKey = 0] = after?.split(':').map(Number) ?? [];
    const sql = `select s.id, s.version, s.size_bytes, lower(nullif(hex(s.sha256), '')), s.slot, s.key
      from json_each(?1) j cross join (with recursive run (n) as (select 0 union all select n + 1 from run where n < ?5) select n from run)
      cross join segment s on s.key >> 19 = n and s.slot = j.value ->> 0
      where s.copies > j.value ->> 1 and s.tier = 'hot' and s.version > 0 and (s.slot, s.key) > (?2, ?3)
      order by s.slot, s.key limit ?4`;
    const ahead = slots.filter(([slot]) => slot >= afterSlot);
    const runs = Math.floor((await this.lastKey()) / RUN);
    const found: SegmentCells[] = [];
    for (let at = 0, many = FIRST_SLOTS; at < ahead.length && found.length < limit; at += many, many *= 2) {
      const some = JSON.stringify(ahead.slice(at, at + many));
      found.push(...(await this.#database.all(sql, [some, afterSlot, afterKey, limit - found.length, runs])));
    }
    const rows = found.map(([id, version, size, sha256]) => manifestRow([id, version, size, sha256]));
    const last = found.at(-1);
    return found.length < limit || last === undefined
      ? { rows }
      : { rows, next: `${String(last[4])}:${String(last[5])}` };
  }
}

/** Of id, version, size and hash, as cells of the database. */
export function manifestRow([id, version, size, sha256]: readonly (SqlValue | undefined)[]): ManifestRow {
  return {
    id: String(id),
    version: Number(version),
    sizeBytes: Number(size),
    sha256: typeof sha256 === 'string' ? sha256 : null,
  };
}
