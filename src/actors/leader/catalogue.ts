import { type ColdFile, type ColdStore } from '../../cold/cold-store.ts';
import { type Engine, type LocalDatabase } from '../../engine/engine.ts';
import { TroughError, unreachable } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { type ClusterView } from '../../messages/cluster-view.ts';
import {
  type ManifestRow,
  type SegmentRow,
  type SegmentsAnswer,
  type SegmentsRequest,
} from '../../messages/control.ts';
import { type Published } from '../../messages/node-messages.ts';
import { type SegmentTreatment } from '../../model/segment-rules.ts';
import { CATALOGUE_SEGMENT, parseSegmentId, type SegmentId } from '../../model/segment-id.ts';
import { type SlotSums } from '../../model/slot-sums.ts';
import { type Actor, type Emit } from '../../runtime/actor.ts';
import { type Reply, replyWith } from '../../runtime/ask.ts';
import { type Clock } from '../../runtime/clock.ts';
import {
  type CatalogueEntry,
  CatalogueRows,
  type ManifestPage,
  type SegmentCells,
  type SlotRank,
} from './catalogue-rows.ts';
import { type CatalogueChange, type CatalogueRuled } from './catalogue-news.ts';
import { CatalogueRules } from './catalogue-rules.ts';
import { ColdScan, type ScanNet } from './cold-scan.ts';

export type CatalogueMessage =
  /** Looks through cold storage for what others put there. */
  | { readonly kind: 'scan' }
  /** Takes in files that somebody else has found in cold storage. */
  | { readonly kind: 'take'; readonly files: readonly ColdFile[]; readonly reply: Reply<void> }
  /** Takes in what a rebuild found of files in cold storage: their versions and checksums. */
  | { readonly kind: 'settled'; readonly entries: readonly CatalogueEntry[]; readonly reply: Reply<void> }
  /** Takes in the segments that only their leases know of: those that another leader granted and that were never published. */
  | { readonly kind: 'adopt' }
  /** The rules of these segments came, changed or went. Of all, without `segments`: what changed while nobody was told, that of the settings included. */
  | { readonly kind: 'rules'; readonly segments?: readonly string[] | undefined }
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
  /** The same, or undefined while cold storage was never listed to its end: parts of it would be taken for empty. */
  | { readonly kind: 'weights'; readonly reply: Reply<SlotSums | undefined> }
  /** Of these segments, what a node that is to hold them has to have. */
  | {
      readonly kind: 'rows';
      readonly ids: readonly string[];
      readonly reply: Reply<readonly ManifestRow[]>;
    }
  | {
      readonly kind: 'manifest';
      readonly slots: readonly SlotRank[];
      readonly after: string | undefined;
      readonly limit: number;
      readonly reply: Reply<ManifestPage>;
    };

export interface CatalogueDeps {
  readonly clock: Clock;
  readonly database: LocalDatabase;
  /** Reads the same database, for patterns of clients. */
  readonly engine: Engine;
  readonly file: string;
  readonly cold: ColdStore;
  readonly view: ClusterView;
  readonly rule: (id: string) => SegmentTreatment;
  /** The rules of the settings, as one text: when it is another one than at the last start, all rows are gone through. */
  readonly ruledBy?: string | undefined;
  readonly emit: Emit<CatalogueChange | CatalogueRuled>;
  readonly log: Log;
  readonly net?: ScanNet;
}

const BATCH = 5_000;
const MATCH_MS = 10_000;

/** Every known segment, in a database of its own: fed by what the leader does and by listings of cold storage; nothing in it is precious. */
export class Catalogue implements Actor<CatalogueMessage> {
  readonly name = 'catalogue';
  readonly #deps: CatalogueDeps;
  readonly #stopping = new AbortController();
  readonly #rows: CatalogueRows;
  readonly #scan: ColdScan;
  readonly #rules: CatalogueRules;
  #scanning: Promise<void> | undefined;

  constructor(deps: CatalogueDeps) {
    this.#deps = deps;
    this.#rows = new CatalogueRows(deps.database, deps.rule);
    this.#rules = new CatalogueRules({ ...deps, rows: this.#rows });
    this.#scan = new ColdScan({ ...deps, rows: this.#rows, found: (files) => this.#take(files) });
  }

  async receive(message: CatalogueMessage): Promise<void> {
    switch (message.kind) {
      case 'scan':
        this.#scanning ??= this.#scan.run(this.#stopping.signal).finally(() => {
          this.#scanning = undefined;
        });
        return;
      case 'take':
        await replyWith(message.reply, this.#takeFiles(message.files));
        return;
      case 'settled':
        await replyWith(message.reply, this.#take(message.entries));
        return;
      case 'adopt':
        await this.#adopt();
        return;
      case 'rules':
        await this.#rules.take(message.segments);
        return;
      case 'granted':
        await replyWith(message.reply, this.#rows.grant([message]));
        return;
      case 'published':
        await replyWith(message.reply, this.#published(message.segment, message.published));
        return;
      case 'removed':
        await replyWith(message.reply, this.#rows.remove([message.segment]));
        return;
      case 'segments':
        void replyWith(message.reply, this.#segments(message.request));
        return;
      case 'segment':
        void replyWith(message.reply, this.#segment(message.segment));
        return;
      case 'sums':
        void replyWith(message.reply, this.#rows.sums());
        return;
      case 'weights':
        void replyWith(message.reply, this.#weights());
        return;
      case 'rows':
        void replyWith(message.reply, this.#rows.manifestOf(message.ids));
        return;
      case 'manifest':
        void replyWith(message.reply, this.#rows.manifest(message.slots, message.after, message.limit));
        return;
      default:
        unreachable(message);
    }
  }

  /** Resolves when no listing of cold storage runs. */
  async scanned(): Promise<void> {
    await this.#scanning;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#scanning;
  }

  async #adopt(): Promise<void> {
    const leases = Array.from(this.#deps.view.leases(), ({ document }) => document);
    const held = leases
      .filter(({ state }) => state === 'held')
      .map(({ segment, schema }) => ({ segment: parseSegmentId(segment), schema }));
    for (let at = 0; at < held.length; at += BATCH) await this.#rows.grant(held.slice(at, at + BATCH));
    const shredded = leases.filter(({ state }) => state === 'shredded').map(({ segment }) => parseSegmentId(segment));
    for (let at = 0; at < shredded.length; at += BATCH) await this.#rows.remove(shredded.slice(at, at + BATCH));
  }

  async #takeFiles(files: readonly ColdFile[]): Promise<void> {
    await this.#scan.take(files);
  }

  async #published(id: SegmentId, { version, sizeBytes, sha256, modifiedMs }: Published): Promise<void> {
    await this.#take([{ id, version, sizeBytes, sha256, modifiedMs, schema: null }]);
  }

  async #take(entries: readonly CatalogueEntry[]): Promise<void> {
    await this.#rows.put(entries);
    for (let at = 0; at < entries.length; at += BATCH) {
      const rows = entries
        .slice(at, at + BATCH)
        .map(({ id, version, sizeBytes, sha256 }) => ({ id, version, sizeBytes, sha256, ...this.#deps.rule(id) }));
      this.#deps.emit({ kind: 'changed', rows });
    }
  }

  async #weights(): Promise<SlotSums | undefined> {
    return (await this.#rows.isWhole()) ? this.#rows.sums() : undefined;
  }

  async #segments({ matching, tier, after, limit }: SegmentsRequest): Promise<SegmentsAnswer> {
    const from = after ?? '';
    const rows =
      matching === undefined
        ? await this.#rows.page(from, tier, limit)
        : await this.#rows.these(await this.#matching(matching, tier, from, limit));
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
      segment: CATALOGUE_SEGMENT,
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

  async #segment(id: SegmentId): Promise<SegmentRow | undefined> {
    const row = await this.#rows.of(id);
    return row === undefined ? undefined : this.#row(row);
  }

  #row([id, slot, tier, version, sizeBytes, sha256, schema]: SegmentCells): SegmentRow {
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
}

async function textOf(body: Uint8Array | AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  if (body instanceof Uint8Array) parts.push(body);
  else for await (const part of body) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}
