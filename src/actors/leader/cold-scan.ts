import { type ColdFile, type ColdStore } from '../../cold/cold-store.ts';
import { TroughError } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { type ClusterView } from '../../messages/cluster-view.ts';
import { type SegmentId } from '../../model/segment-id.ts';
import { nextVersion } from '../../model/version.ts';
import { type Clock } from '../../runtime/clock.ts';
import { Throttle } from '../../runtime/throttle.ts';
import { type CatalogueEntry, type CatalogueRows, type KnownFile } from './catalogue-rows.ts';
import { KeySet } from './key-set.ts';

/** The net below the listing of what changed: a writer that changes a file in place leaves its directory as it was. */
export interface ScanNet {
  readonly everyMs: number;
  /** Except the first time: until then nothing is known. */
  readonly filesPerSecond: number;
}

export interface ColdScanDeps {
  readonly clock: Clock;
  readonly cold: ColdStore;
  readonly rows: CatalogueRows;
  readonly view: ClusterView;
  readonly log: Log;
  /** How often everything is looked at again, and how fast. Default: once a day, as fast as it goes. */
  readonly net?: ScanNet | undefined;
  /** Records what was found: files that are not what the catalogue says, with the version that they count as. */
  readonly found: (files: readonly CatalogueEntry[]) => Promise<void>;
}

/** Grows with the listing: every batch of a large catalogue touches most pages of its indexes, so there must be few. */
const BATCH = { first: 500, most: 50_000, share: 8 };
const SWEEP = 20_000;
/** A first listing of millions of files takes minutes: it says how far it is. */
const SAY_EVERY_FILES = 100_000;
const USUAL_NET: ScanNet = { everyMs: 24 * 3_600_000, filesPerSecond: Infinity };

/** What a complete listing has named of what was known before it. */
interface Round {
  readonly lastKey: number;
  readonly named: KeySet;
}

/** Keeps the catalogue true to cold storage: new and changed files are taken in, vanished ones reported. One listing at a time, in batches. */
export class ColdScan {
  readonly #deps: ColdScanDeps;
  #cursor: string | undefined;
  #completeAt = -Infinity;

  constructor(deps: ColdScanDeps) {
    this.#deps = deps;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, net = USUAL_NET } = this.#deps;
    const startedAt = clock.monotonic();
    const isDue = startedAt - this.#completeAt >= net.everyMs;
    if (isDue) this.#cursor = undefined;
    const isFirst = this.#completeAt === -Infinity;
    const pace = isDue && !isFirst ? new Throttle(clock, net.filesPerSecond) : undefined;
    try {
      const changed = await this.#list(startedAt, pace, signal);
      if (changed > 0) log.info({ segments: changed }, 'new or changed segments in cold storage');
    } catch (error) {
      this.#cursor = undefined;
      if (signal.aborted) return;
      log.warn({ err: TroughError.from(error) }, 'cold storage could not be listed and is listed again later');
    }
  }

  /** Takes these files in, as if a listing had named them. How many are not what the catalogue says. */
  async take(files: readonly ColdFile[]): Promise<number> {
    return this.#take(files, undefined);
  }

  async #list(startedAt: number, pace: Throttle | undefined, signal: AbortSignal): Promise<number> {
    const { clock, cold, log } = this.#deps;
    const round = this.#cursor === undefined ? await this.#nextRound() : undefined;
    let batch: ColdFile[] = [];
    let changed = 0;
    let named = 0;
    for await (const event of cold.list(this.#cursor, signal)) {
      switch (event.kind) {
        case 'file':
          await pace?.take(1, signal);
          named += 1;
          if (named % SAY_EVERY_FILES === 0) this.#say(named, changed, startedAt);
          batch.push(event.file);
          if (batch.length < Math.min(BATCH.most, Math.max(BATCH.first, named / BATCH.share))) break;
          changed += await this.#take(batch, round);
          batch = [];
          break;
        case 'gone':
          await this.#missing(event.id);
          break;
        case 'named':
          changed += await this.#take(batch, round);
          batch = [];
          break;
        case 'ignored':
          log.debug({ path: event.path, why: event.why }, 'a file in cold storage is not a segment');
          break;
        case 'done':
          changed += await this.#take(batch, round);
          // A complete listing that was not asked for named files that this round did not mark: the next one is.
          this.#cursor = event.complete === true && round === undefined ? undefined : event.cursor;
          if (round === undefined) break;
          this.#completeAt = startedAt;
          await this.#sweep(round);
          await this.#deps.rows.listed(clock.now());
      }
    }
    return changed;
  }

  #say(files: number, changed: number, startedAt: number): void {
    const { clock, log } = this.#deps;
    const seconds = (clock.monotonic() - startedAt) / 1_000;
    const perSecond = Math.round(files / Math.max(seconds, 0.001));
    log.info({ files, changed, perSecond }, 'cold storage is being listed');
  }

  /** How many of the files are not what the catalogue says. */
  async #take(files: readonly ColdFile[], round: Round | undefined): Promise<number> {
    if (files.length === 0) return 0;
    const known = await this.#deps.rows.known(files.map(({ id }) => id));
    for (const { key } of known.values()) round?.named.add(key);
    const found = files
      .map((file) => this.#judge(file, known.get(file.id)))
      .filter((file): file is CatalogueEntry => file !== undefined);
    if (found.length > 0) await this.#deps.found(found);
    return found.length;
  }

  #judge(file: ColdFile, known: KnownFile | undefined): CatalogueEntry | undefined {
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

  async #nextRound(): Promise<Round> {
    const lastKey = await this.#deps.rows.lastKey();
    return { lastKey, named: new KeySet(lastKey) };
  }

  /** What was known before a complete listing, and was not named by it, is gone. */
  async #sweep({ lastKey, named }: Round): Promise<void> {
    const { rows } = this.#deps;
    for (let after = 0; ;) {
      const keys = await rows.keys(after, lastKey, SWEEP);
      const missing = keys.filter((key) => !named.has(key));
      if (missing.length > 0) for (const id of await rows.ids(missing)) await this.#missing(id);
      const last = keys.at(-1);
      if (last === undefined) return;
      after = last;
    }
  }

  /** Never a reason to delete the last copies: it is reported, and its copies are kept, and made anew from each other. */
  async #missing(id: SegmentId): Promise<void> {
    const { rows, cold, view, log } = this.#deps;
    if (view.lease(id)?.document.state === 'shredded') await rows.remove([id]);
    else if ((await cold.stat(id)) === undefined && (await rows.vanish(id)))
      log.warn({ segment: id }, 'a segment vanished from cold storage; its copies are kept');
  }
}
