import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { TroughError } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { coldPath } from '../../model/cold-path.ts';
import { type SegmentId } from '../../model/segment-id.ts';
import { LOOK_BYTES } from '../../model/sqlite-header.ts';
import { coldFailure, isOutOfRoom } from '../cold-failure.ts';
import { type ColdCare, type Leftover, type ReadBack, type WalkEvent } from '../cold-care.ts';
import { type ColdFile, type ColdStore, type Fetched, type FetchedKnown, type ListEvent } from '../cold-store.ts';
import { DirectoryListing } from '../directory-listing.ts';
import { Places } from '../places.ts';
import { StraySearch } from '../stray-search.ts';
import { walkTree } from '../tree-walk.ts';
import { Fetcher, type Located } from './fetcher.ts';
import { HdfsFiles, type HdfsStatus } from './hdfs-files.ts';
import { HdfsProblem } from './hdfs-problem.ts';
import { HdfsTree } from './hdfs-tree.ts';
import { HttpClient } from './http-client.ts';
import { NameNodes } from './name-nodes.ts';
import { Publisher } from './publisher.ts';
import { type RetryDeps, retrying } from './retrying.ts';
import { TemporaryNames } from './temporary-names.ts';
import { USUAL_TIMES, type WebHdfsOptions } from './webhdfs-options.ts';

interface Expected {
  readonly sha256?: string | undefined;
}

/** Cold storage in HDFS, over WebHDFS. README.md in this folder says what it relies on. */
export class WebHdfs implements ColdStore, ColdCare, Disposable {
  readonly description: string;
  readonly #root: string;
  readonly #http: HttpClient;
  readonly #files: HdfsFiles;
  readonly #temporary: TemporaryNames;
  readonly #tree: HdfsTree;
  readonly #listing: DirectoryListing;
  readonly #places: Places;
  readonly #publisher: Publisher;
  readonly #fetcher: Fetcher;
  readonly #retry: RetryDeps;

  /** COLD_FAILED when the file of authorities cannot be read. */
  constructor(options: WebHdfsOptions, log: Log) {
    const { place, clock, random } = options;
    this.#root = place.root;
    this.description = `HDFS ${place.nameNodes.join(', ')} ${place.root || '/'}`;
    this.#retry = { clock, random, times: { ...USUAL_TIMES, ...options.times } };
    this.#http = new HttpClient(clock, this.#retry.times, readCa(options.caFile));
    const names = new NameNodes({
      ...this.#retry,
      http: this.#http,
      addresses: place.nameNodes,
      secure: place.secure,
      apiPath: (options.apiPath ?? '/webhdfs/v1').replace(/\/+$/, ''),
      user: place.user,
      authorization: authorizationFrom(options.authorizationFile),
    });
    const nowMs = (): number => names.nowMs();
    this.#files = new HdfsFiles(names, this.#http, this.#retry);
    const files = this.#files;
    this.#temporary = new TemporaryNames({ files, clock, root: this.#root, nowMs, log });
    this.#tree = new HdfsTree(files, this.#root, nowMs);
    this.#listing = new DirectoryListing(this.#tree);
    this.#places = new Places(this.#listing, new StraySearch(this.#tree));
    const { replicas = 1 } = options;
    this.#publisher = new Publisher({ ...this.#retry, files, temporary: this.#temporary, replicas });
    this.#fetcher = new Fetcher({ ...this.#retry, files });
  }

  [Symbol.dispose](): void {
    this.#http[Symbol.dispose]();
  }

  /** How many directories the listings have read so far. */
  get directoriesRead(): number {
    return this.#listing.directoriesRead;
  }

  /** Writes, reads and removes a small file, so that a data node is asked too. */
  async probe(signal?: AbortSignal): Promise<void> {
    await this.#doing('a probe of cold storage', this.#root, async () => {
      await this.#temporary.prepare(signal);
      await retrying(this.#retry, () => this.#writeAndRead(signal), signal);
    });
  }

  async *list(cursor: string | undefined, signal?: AbortSignal): AsyncIterable<ListEvent> {
    try {
      await this.#temporary.prepare(signal);
      yield* this.#listing.list(cursor, signal);
    } catch (error) {
      throw failure(error, 'listing cold storage', this.#root);
    }
  }

  async stat(id: SegmentId, signal?: AbortSignal): Promise<ColdFile | undefined> {
    return this.#doing(`looking up ${id}`, this.#root, async () => {
      const found = await this.#locate(id, signal);
      return found && coldFile(id, found.path, found.status);
    });
  }

  async fetch(id: SegmentId, to: string, expected: { sha256?: undefined }, signal?: AbortSignal): Promise<Fetched>;
  async fetch(id: SegmentId, to: string, expected: Expected, signal?: AbortSignal): Promise<FetchedKnown>;
  async fetch(id: SegmentId, to: string, expected: Expected, signal?: AbortSignal): Promise<FetchedKnown> {
    return this.#doing(`fetching ${id}`, to, async () => {
      try {
        const { sha256 } = expected;
        const canonical = this.#tree.absolute(coldPath(id));
        const known = sha256 && (await this.#fetcher.fetchKnown(canonical, to, sha256, signal));
        if (known) return known;
        return await this.#fetcher.fetch(id, to, expected, () => this.#mustLocate(id, signal), signal);
      } catch (error) {
        if (!isOutOfRoom(error)) throw error;
        throw new TroughError('DISK_FULL', `no room for a copy of ${id}`, { segment: id, path: to }, error);
      }
    });
  }

  async publish(
    id: SegmentId,
    from: string,
    sha256: string,
    signal?: AbortSignal,
    beforeReplacing?: () => Promise<void>,
  ): Promise<ColdFile> {
    const target = this.#tree.absolute(coldPath(id));
    return this.#doing(`publishing ${id}`, target, async () => {
      await this.#temporary.prepare(signal);
      return coldFile(id, target, await this.#publisher.publish(id, from, sha256, target, signal, beforeReplacing));
    });
  }

  async discardUploads(id: SegmentId, signal?: AbortSignal): Promise<void> {
    await this.#doing(`discarding uploads of ${id}`, this.#temporary.directory, async () => {
      await this.#temporary.prepare(signal);
      const paths = await this.#temporary.uploadsOf(id, signal);
      for (const path of paths) await this.#remove(path, signal);
    });
  }

  /** Also what lies elsewhere under the same id, as far as it was listed. Directories stay, since a publish may be about to use one. */
  async remove(id: SegmentId, signal?: AbortSignal): Promise<boolean> {
    return this.#doing(`removing ${id}`, this.#root, async () => {
      const served = await this.#locate(id, signal);
      if (served === undefined) return false;
      const strays = (this.#listing.strays?.all(id) ?? []).map((stray) => this.#tree.absolute(stray));
      for (const path of new Set([served.path, ...strays])) await this.#remove(path, signal);
      return true;
    });
  }

  async checksum(id: SegmentId, signal?: AbortSignal): Promise<string> {
    const { sha256 } = await this.readBack(id, undefined, () => Promise.resolve(), signal);
    return sha256;
  }

  async demand(signal?: AbortSignal): Promise<void> {
    await this.#doing('looking for cold storage', this.#root, () => this.#temporary.prepare(signal));
  }

  async *walk(after: string | undefined, signal?: AbortSignal): AsyncIterable<WalkEvent> {
    try {
      await this.#temporary.prepare(signal);
      yield* walkTree(this.#tree, after, signal);
    } catch (error) {
      throw failure(error, 'walking through cold storage', this.#root);
    }
  }

  async learn({ id, path }: ColdFile): Promise<void> {
    const isTaken = async (): Promise<boolean> => (await this.#statusOf(coldPath(id))) !== undefined;
    const relative = path.slice(this.#root.length + 1);
    await this.#doing(`looking for ${id}`, path, () => this.#places.learn(id, relative, isTaken));
  }

  async head({ id, path, sizeBytes }: ColdFile, signal?: AbortSignal): Promise<Uint8Array> {
    if (sizeBytes === 0) return new Uint8Array();
    return this.#doing(`reading ${path}`, path, async () => {
      try {
        return await this.#files.head(path, Math.min(LOOK_BYTES, sizeBytes), signal);
      } catch (error) {
        if (!(error instanceof HdfsProblem) || !error.missing) throw error;
        throw new TroughError('COLD_MISSING', `${id} is not in cold storage any more`, { segment: id, path }, error);
      }
    });
  }

  async readBack(
    id: SegmentId,
    sha256: string | undefined,
    passed: (bytes: number) => Promise<void>,
    signal?: AbortSignal,
  ): Promise<ReadBack> {
    return this.#doing(`reading ${id}`, this.#root, () =>
      this.#fetcher.readBack(id, sha256, () => this.#mustLocate(id, signal), passed, signal),
    );
  }

  async restore(
    id: SegmentId,
    from: string,
    was: { readonly sha256: string; readonly modifiedMs: number },
    signal?: AbortSignal,
  ): Promise<ColdFile> {
    const target = this.#tree.absolute(coldPath(id));
    return this.#doing(`publishing ${id} again`, target, async () => {
      await this.#temporary.prepare(signal);
      return coldFile(id, target, await this.#publisher.restore(id, from, was, target, signal));
    });
  }

  async leftovers(signal?: AbortSignal): Promise<readonly Leftover[]> {
    return this.#doing('looking for leftovers', this.#root, () => this.#temporary.leftovers(signal));
  }

  async removeLeftover({ path }: Leftover, signal?: AbortSignal): Promise<void> {
    await this.#doing('removing a leftover', path, () => this.#remove(path, signal));
  }

  /** An answer `false` says that it was not there, a lost one nothing: it is looked at. */
  async #remove(path: string, signal?: AbortSignal): Promise<void> {
    await retrying(
      this.#retry,
      async () => {
        let problem: HdfsProblem | undefined;
        try {
          if (await this.#files.remove(path, signal)) return;
        } catch (error) {
          if (!(error instanceof HdfsProblem) || !error.unknown) throw error;
          problem = error;
        }
        if ((await this.#files.status(path, signal)) === undefined) return;
        throw problem ?? HdfsProblem.untrue(`${path} was not removed`);
      },
      signal,
    );
  }

  async #mustLocate(id: SegmentId, signal?: AbortSignal): Promise<Located> {
    const found = await this.#locate(id, signal);
    if (found === undefined) throw new TroughError('COLD_MISSING', `${id} is not in cold storage`, { segment: id });
    return found;
  }

  #locate(id: SegmentId, signal?: AbortSignal): Promise<Located | undefined> {
    return this.#places.first(id, (relative) => this.#statusOf(relative, signal));
  }

  async #statusOf(relative: string, signal?: AbortSignal): Promise<Located | undefined> {
    const path = this.#tree.absolute(relative);
    const status = await this.#files.status(path, signal);
    return status?.kind === 'file' ? { path, status } : undefined;
  }

  async #writeAndRead(signal?: AbortSignal): Promise<void> {
    const path = this.#temporary.nameFor('probe');
    const content = Buffer.from(`trough ${String(this.#retry.clock.now())}`);
    try {
      await this.#writeSmall(path, content, signal);
      const read: Buffer[] = [];
      await this.#files.open(path, (piece) => Promise.resolve(void read.push(piece)), { signal });
      if (!Buffer.concat(read).equals(content)) throw HdfsProblem.torn(`${path} does not hold what was written to it`);
    } finally {
      await this.#temporary.discard(path);
    }
  }

  async #writeSmall(path: string, content: Buffer, signal?: AbortSignal): Promise<void> {
    const pieces = async function* (): AsyncIterable<Buffer> {
      await Promise.resolve();
      yield content;
    };
    const blockSize = 1024 * 1024;
    await this.#files.create(path, { sizeBytes: content.length, pieces, blockSize, replication: undefined }, signal);
  }

  async #doing<T>(doing: string, path: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw failure(error, doing, path);
    }
  }
}

function failure(error: unknown, doing: string, path: string): TroughError {
  if (!(error instanceof HdfsProblem)) return coldFailure(error, doing, path);
  if (error.torn) return new TroughError('COLD_COPY_TORN', `${doing} failed: ${error.message}`, { path }, error);
  const { exception, status } = error;
  return new TroughError('COLD_FAILED', `${doing} failed: ${error.message}`, { path, exception, status }, error);
}

function coldFile(id: SegmentId, path: string, { sizeBytes, modifiedMs }: HdfsStatus): ColdFile {
  return { id, path, sizeBytes, modifiedMs };
}

function readCa(file: string | undefined): string | undefined {
  try {
    return file === undefined ? undefined : readFileSync(file, 'utf8');
  } catch (error) {
    throw coldFailure(error, 'reading the certificate authorities of cold storage', file ?? '');
  }
}

/** Reads the file once, and again when what was in it was refused: so a token can be renewed under a running process. */
function authorizationFrom(file: string | undefined): (refused: boolean) => Promise<string | undefined> {
  if (file === undefined) return () => Promise.resolve(undefined);
  let line: Promise<string> | undefined;
  return async (refused) => {
    if (refused) line = undefined;
    line ??= readFile(file, 'utf8').then((text) => text.trim());
    try {
      return await line;
    } catch (error) {
      line = undefined;
      throw coldFailure(error, 'reading the authorization for cold storage', file);
    }
  };
}
