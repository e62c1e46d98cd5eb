import { type ColdStore } from '../../cold/cold-store.ts';
import { type Engine, type LocalDatabase, type SqlValue } from '../../engine/engine.ts';
import { TroughError, unreachable } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { type ClusterView } from '../../messages/cluster-view.ts';
import {
  type ManifestAnswer,
  type ManifestRow,
  type SegmentRow,
  type SegmentsAnswer,
  type SegmentsRequest,
} from '../../messages/control.ts';
import { type Published } from '../../messages/node-messages.ts';
import { type SegmentTreatment } from '../../model/segment-rules.ts';
import { parseSegmentId, type SegmentId } from '../../model/segment-id.ts';
import { slotOf } from '../../model/slot.ts';
import { SlotSums } from '../../model/slot-sums.ts';
import { type Actor, type Emit } from '../../runtime/actor.ts';
import { type Reply, replyWith } from '../../runtime/ask.ts';
import { type Clock } from '../../runtime/clock.ts';
import { ColdScan, type FoundFile } from './cold-scan.ts';

/** A slot that a node has, and its rank there: it holds the segments of the slot that have more copies than its rank. */
export type SlotRank = readonly [slot: number, rank: number];

export type ManifestPage = Pick<ManifestAnswer, 'rows' | 'next'>;

export type CatalogueMessage =
  /** Looks through cold storage for what others put there. */
  | { readonly kind: 'scan' }
  /** Takes in the segments that only their leases know of: those that another leader granted and that were never published. */
  | { readonly kind: 'adopt' }
  | { readonly kind: 'granted'; readonly segment: SegmentId; readonly schema: string; readonly reply: Reply<void> }
  | {
      readonly kind: 'published';
      readonly segment: SegmentId;
      readonly published: Published;
      readonly reply: Reply<void>;
    }
  | { readonly kind: 'removed'; readonly segment: SegmentId; readonly reply: Reply<void> }
  | { readonly kind: 'segments'; readonly request: SegmentsRequest; readonly reply: Reply<SegmentsAnswer> }
  | { readonly kind: 'segment'; readonly segment: SegmentId; readonly reply: Reply<SegmentRow | undefined> }
  | { readonly kind: 'sums'; readonly reply: Reply<SlotSums> }
  | {
      readonly kind: 'manifest';
      readonly slots: readonly SlotRank[];
      readonly after: string | undefined;
      readonly limit: number;
      readonly reply: Reply<ManifestPage>;
    };

export interface CatalogueChange {
  readonly kind: 'changed';
  readonly rows: readonly (ManifestRow & { readonly copies: number; readonly tier: 'hot' | 'cold' })[];
}

export interface CatalogueDeps {
  readonly clock: Clock;
  readonly database: LocalDatabase;
  /** Reads the same database, for patterns of clients. */
  readonly engine: Engine;
  readonly file: string;
  readonly cold: ColdStore;
  readonly view: ClusterView;
  readonly rule: (id: string) => SegmentTreatment;
  readonly emit: Emit<CatalogueChange>;
  readonly log: Log;
}

const BATCH = 500;
const MATCH_MS = 10_000;
const COLUMNS = 'id, slot, tier, version, size_bytes, sha256, schema';
const UPSERT = `insert into segments (id, slot, tier, copies, version, size_bytes, sha256, schema, modified_ms)
  values (?, ?, ?, ?, ?, ?, ?, ?, ?)
  on conflict (id) do update set tier = excluded.tier, copies = excluded.copies, version = excluded.version, size_bytes = excluded.size_bytes,
    sha256 = excluded.sha256, schema = coalesce(excluded.schema, schema), modified_ms = excluded.modified_ms, vanished = 0`;

/** Every known segment, in a database of its own: fed by what the leader does and by listings of cold storage; nothing in it is precious. */
export class Catalogue implements Actor<CatalogueMessage> {
  readonly name = 'catalogue';
  readonly #deps: CatalogueDeps;
  readonly #stopping = new AbortController();
  readonly #scan: ColdScan;
  #scanning: Promise<void> | undefined;

  constructor(deps: CatalogueDeps) {
    this.#deps = deps;
    this.#scan = new ColdScan({ ...deps, found: (files) => this.#found(files) });
  }

  async receive(message: CatalogueMessage): Promise<void> {
    switch (message.kind) {
      case 'scan':
        this.#scanning ??= this.#scan.run(this.#stopping.signal).finally(() => {
          this.#scanning = undefined;
        });
        return;
      case 'adopt':
        await this.#adopt();
        return;
      case 'granted':
        await replyWith(message.reply, this.#granted(message.segment, message.schema));
        return;
      case 'published':
        await replyWith(message.reply, this.#published(message.segment, message.published));
        return;
      case 'removed':
        await replyWith(
          message.reply,
          this.#deps.database.run([{ sql: 'delete from segments where id = ?', params: [message.segment] }]),
        );
        return;
      case 'segments':
        void replyWith(message.reply, this.#segments(message.request));
        return;
      case 'segment':
        void replyWith(message.reply, this.#segment(message.segment));
        return;
      case 'sums':
        void replyWith(message.reply, this.#sums());
        return;
      case 'manifest':
        void replyWith(message.reply, this.#manifest(message.slots, message.after, message.limit));
        return;
      default:
        unreachable(message);
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#scanning;
  }

  async #adopt(): Promise<void> {
    const held = Array.from(this.#deps.view.leases(), ({ document }) => document).filter(
      ({ state }) => state === 'held',
    );
    for (let at = 0; at < held.length; at += BATCH) {
      const statements = held.slice(at, at + BATCH).map(({ segment, schema }) => this.#grant(segment, schema));
      await this.#deps.database.run(statements);
    }
  }

  async #granted(segment: SegmentId, schema: string): Promise<void> {
    await this.#deps.database.run([this.#grant(segment, schema)]);
  }

  #grant(segment: string, schema: string): { sql: string; params: SqlValue[] } {
    const { tier, copies } = this.#deps.rule(segment);
    const sql = `insert into segments (id, slot, tier, copies, version, size_bytes, schema, modified_ms) values (?, ?, ?, ?, 0, 0, ?, 0)
      on conflict (id) do update set schema = coalesce(schema, excluded.schema), vanished = 0`;
    return { sql, params: [segment, slotOf(segment), tier, copies, schema] };
  }

  async #published(segment: SegmentId, { version, sizeBytes, sha256, modifiedMs }: Published): Promise<void> {
    const { tier, copies } = this.#deps.rule(segment);
    const params = [segment, slotOf(segment), tier, copies, version, sizeBytes, sha256, null, modifiedMs];
    await this.#deps.database.run([{ sql: UPSERT, params }]);
    this.#deps.emit({ kind: 'changed', rows: [{ id: segment, version, sizeBytes, sha256, copies, tier }] });
  }

  async #found(files: readonly FoundFile[]): Promise<void> {
    const rows = files.map(({ id, version, sizeBytes, sha256 }) => ({
      id,
      version,
      sizeBytes,
      sha256,
      ...this.#deps.rule(id),
    }));
    const statements = files.map(({ id, version, sizeBytes, sha256, schema, modifiedMs }) => {
      const { tier, copies } = this.#deps.rule(id);
      return { sql: UPSERT, params: [id, slotOf(id), tier, copies, version, sizeBytes, sha256, schema, modifiedMs] };
    });
    await this.#deps.database.run(statements);
    this.#deps.emit({ kind: 'changed', rows });
  }

  async #segments({ matching, tier, after, limit }: SegmentsRequest): Promise<SegmentsAnswer> {
    const from = after ?? '';
    const rows =
      matching === undefined
        ? await this.#page(from, tier, limit)
        : await this.#rowsOf(await this.#matching(matching, tier, from, limit));
    const segments = rows.map((row) => this.#row(row));
    const last = segments.at(-1);
    return segments.length < limit || last === undefined ? { segments } : { segments, next: last.id };
  }

  /** A pattern of a client may take for ever, so it runs where all SQL of clients runs: in a child process with a deadline. */
  async #matching(pattern: string, tier: string | undefined, after: string, limit: number): Promise<readonly string[]> {
    const { engine, file } = this.#deps;
    const sql =
      'select id from segments where id > ?1 and id regexp ?2 and (?3 is null or tier = ?3) order by id limit ?4';
    const where = {
      segment: '_catalogue',
      file,
      version: 'live',
      live: true,
      format: 'rows',
      bigints: 'digits',
    } as const;
    try {
      const { body } = await engine.query({
        ...where,
        sql,
        params: [after, pattern, tier ?? null, limit],
        deadlineMs: MATCH_MS,
      });
      return (JSON.parse(`[${await textOf(body)}]`) as string[][]).flat();
    } catch (error) {
      if (TroughError.from(error).code !== 'SQL_FAILED') throw error;
      throw new TroughError('REQUEST_INVALID', `'${pattern}' is not a regular expression`, {}, error);
    }
  }

  #rowsOf(ids: readonly string[]): Promise<readonly (readonly SqlValue[])[]> {
    const sql = `select ${COLUMNS} from segments where id in (select value from json_each(?)) order by id`;
    return this.#deps.database.all(sql, [JSON.stringify(ids)]);
  }

  #page(after: string, tier: string | undefined, limit: number): Promise<readonly (readonly SqlValue[])[]> {
    const where = tier === undefined ? '' : 'and tier = ?3';
    const params = tier === undefined ? [after, limit] : [after, limit, tier];
    return this.#deps.database.all(
      `select ${COLUMNS} from segments where id > ?1 ${where} order by id limit ?2`,
      params,
    );
  }

  async #segment(id: SegmentId): Promise<SegmentRow | undefined> {
    const [row] = await this.#deps.database.all(`select ${COLUMNS} from segments where id = ?`, [id]);
    return row === undefined ? undefined : this.#row(row);
  }

  #row([id, slot, tier, version, sizeBytes, sha256, schema]: readonly SqlValue[]): SegmentRow {
    const lease = this.#deps.view.lease(String(id))?.document;
    return {
      id: parseSegmentId(id),
      slot: Number(slot),
      tier: tier === 'cold' ? 'cold' : 'hot',
      version: Number(version),
      sizeBytes: Number(sizeBytes),
      sha256: typeof sha256 === 'string' ? sha256 : null,
      schema: typeof schema === 'string' ? schema : null,
      ...(lease?.state === 'held' ? { state: 'writable', node: lease.node } : { state: 'read-only' }),
    };
  }

  async #sums(): Promise<SlotSums> {
    const sql = 'select slot, tier, copies, segments, bytes from sums where segments > 0';
    const rows = await this.#deps.database.all(sql);
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

  /** `after` is the slot and id of the last row of the page before. */
  async #manifest(slots: readonly SlotRank[], after: string | undefined, limit: number): Promise<ManifestPage> {
    const [afterSlot, afterId] = after === undefined ? [-1, ''] : splitCursor(after);
    const ahead = slots.filter(([slot]) => slot >= afterSlot);
    const sql = `select s.id, s.version, s.size_bytes, s.sha256, s.slot
      from json_each(?1) j join segments s on s.slot = j.value ->> 0
      where s.copies > j.value ->> 1 and s.tier = 'hot' and s.version > 0 and s.vanished = 0 and (s.slot, s.id) > (?2, ?3)
      order by s.slot, s.id limit ?4`;
    const found = await this.#deps.database.all(sql, [JSON.stringify(ahead), afterSlot, afterId, limit]);
    const rows = found.map(([id, version, size, sha256]) => ({
      id: String(id),
      version: Number(version),
      sizeBytes: Number(size),
      sha256: typeof sha256 === 'string' ? sha256 : null,
    }));
    const last = found.at(-1);
    if (found.length < limit || last === undefined) return { rows };
    return { rows, next: `${String(last[4])}:${String(last[0])}` };
  }
}

function splitCursor(after: string): [number, string] {
  const colon = after.indexOf(':');
  return [Number(after.slice(0, colon)), after.slice(colon + 1)];
}

async function textOf(body: Uint8Array | AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  if (body instanceof Uint8Array) parts.push(body);
  else for await (const part of body) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}
