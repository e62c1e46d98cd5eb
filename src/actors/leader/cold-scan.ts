import { type ColdFile, type ColdStore } from '../../cold/cold-store.ts';
import { type LocalDatabase } from '../../engine/engine.ts';
import { TroughError } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { type ClusterView } from '../../messages/cluster-view.ts';
import { parseSegmentId, type SegmentId } from '../../model/segment-id.ts';
import { nextVersion } from '../../model/version.ts';
import { type Clock } from '../../runtime/clock.ts';

/** A file in cold storage that is not what the catalogue says, with the version that it counts as. */
export interface FoundFile {
  readonly id: SegmentId;
  readonly version: number;
  readonly sizeBytes: number;
  /** Known only for what this cluster published itself. */
  readonly sha256: string | null;
  readonly schema: string | null;
  readonly modifiedMs: number;
}

export interface ColdScanDeps {
  readonly clock: Clock;
  readonly cold: ColdStore;
  readonly database: LocalDatabase;
  readonly view: ClusterView;
  readonly log: Log;
  /** Records what was found. */
  readonly found: (files: readonly FoundFile[]) => Promise<void>;
}

interface KnownFile {
  readonly vanished: boolean;
  readonly version: number;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

const BATCH = 500;
/** A first listing of millions of files takes minutes: it says how far it is. */
const SAY_EVERY_FILES = 100_000;
/** A writer that changes a file in place leaves its directory as it was: only a complete listing sees that. */
const COMPLETE_EVERY_MS = 24 * 3_600_000;

/** Keeps the catalogue true to cold storage: new and changed files are taken in, vanished ones reported. One listing at a time, in batches. */
export class ColdScan {
  readonly #deps: ColdScanDeps;
  #cursor: string | undefined;
  #completeAt = -Infinity;

  constructor(deps: ColdScanDeps) {
    this.#deps = deps;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    const startedAt = clock.monotonic();
    if (startedAt - this.#completeAt >= COMPLETE_EVERY_MS) this.#cursor = undefined;
    try {
      const changed = await this.#list(startedAt, signal);
      if (changed > 0) log.info({ segments: changed }, 'new or changed segments in cold storage');
    } catch (error) {
      this.#cursor = undefined;
      if (signal.aborted) return;
      log.warn({ err: TroughError.from(error) }, 'cold storage could not be listed and is listed again later');
    }
  }

  async #list(startedAt: number, signal: AbortSignal): Promise<number> {
    const { cold, log } = this.#deps;
    const round = this.#cursor === undefined ? await this.#nextRound() : undefined;
    const batch: ColdFile[] = [];
    let changed = 0;
    let named = 0;
    for await (const event of cold.list(this.#cursor, signal)) {
      switch (event.kind) {
        case 'file':
          named += 1;
          if (named % SAY_EVERY_FILES === 0) log.info({ files: named }, 'cold storage is being listed');
          batch.push(event.file);
          if (batch.length >= BATCH) changed += await this.#take(batch.splice(0), round);
          break;
        case 'gone':
          await this.#missing(event.id);
          break;
        case 'ignored':
          log.debug({ path: event.path, why: event.why }, 'a file in cold storage is not a segment');
          break;
        case 'done':
          changed += await this.#take(batch.splice(0), round);
          // A complete listing that was not asked for named files that this round did not mark: the next one is.
          this.#cursor = event.complete === true && round === undefined ? undefined : event.cursor;
          if (round === undefined) break;
          this.#completeAt = startedAt;
          await this.#sweep(round);
      }
    }
    return changed;
  }

  /** How many of the files are not what the catalogue says. */
  async #take(files: readonly ColdFile[], round: number | undefined): Promise<number> {
    if (files.length === 0) return 0;
    const ids = JSON.stringify(files.map(({ id }) => id));
    const known = await this.#known(ids);
    const found = files
      .map((file) => this.#judge(file, known.get(file.id)))
      .filter((file): file is FoundFile => file !== undefined);
    if (found.length > 0) await this.#deps.found(found);
    if (round !== undefined) {
      const sql = 'update segments set seen = ? where id in (select value from json_each(?))';
      await this.#deps.database.run([{ sql, params: [round, ids] }]);
    }
    return found.length;
  }

  #judge(file: ColdFile, known: KnownFile | undefined): FoundFile | undefined {
    const { id, sizeBytes, modifiedMs } = file;
    const isKnown = known?.sizeBytes === sizeBytes && known.modifiedMs === modifiedMs && known.version > 0;
    if (isKnown && !known.vanished) return undefined;
    const lease = this.#deps.view.lease(id)?.document;
    if (lease?.state === 'shredded') return undefined;
    const published = lease?.version ?? null;
    // What the lease names is ours, with its checksum; the modification time alone would make a new version of it.
    if (published !== null && published >= modifiedMs && lease?.sizeBytes === sizeBytes) {
      return { id, sizeBytes, modifiedMs, version: published, sha256: lease.sha256, schema: lease.schema };
    }
    const version = nextVersion(known?.version ?? null, modifiedMs);
    return { id, sizeBytes, modifiedMs, version, sha256: null, schema: lease?.schema ?? null };
  }

  async #known(ids: string): Promise<ReadonlyMap<string, KnownFile>> {
    const sql =
      'select id, version, size_bytes, modified_ms, vanished from segments where id in (select value from json_each(?))';
    const rows = await this.#deps.database.all(sql, [ids]);
    const entries = rows.map(([id, version, size, modified, vanished]): [string, KnownFile] => [
      String(id),
      { version: Number(version), sizeBytes: Number(size), modifiedMs: Number(modified), vanished: vanished === 1 },
    ]);
    return new Map(entries);
  }

  async #nextRound(): Promise<number> {
    const [row] = await this.#deps.database.all('select coalesce(max(seen), 0) + 1 from segments');
    return Number(row?.[0]);
  }

  /** What a complete listing did not name is gone. */
  async #sweep(round: number): Promise<void> {
    for (let after = ''; ;) {
      const sql =
        'select id from segments where seen <> ? and version > 0 and vanished = 0 and id > ? order by id limit ?';
      const rows = await this.#deps.database.all(sql, [round, after, BATCH]);
      for (const [id] of rows) await this.#missing(parseSegmentId(id));
      const last = rows.at(-1)?.[0];
      if (typeof last !== 'string') return;
      after = last;
    }
  }

  /** Never a reason to delete the last copies: it is reported, kept in the catalogue, and no longer assigned anew. */
  async #missing(id: SegmentId): Promise<void> {
    const { database, cold, view, log } = this.#deps;
    if (view.lease(id)?.document.state === 'shredded') {
      await database.run([{ sql: 'delete from segments where id = ?', params: [id] }]);
      return;
    }
    const sql = 'select 1 from segments where id = ? and vanished = 0 and version > 0';
    if ((await database.all(sql, [id])).length === 0 || (await cold.stat(id)) !== undefined) return;
    log.warn({ segment: id }, 'a segment vanished from cold storage; its copies are kept');
    await database.run([{ sql: 'update segments set vanished = 1 where id = ?', params: [id] }]);
  }
}
