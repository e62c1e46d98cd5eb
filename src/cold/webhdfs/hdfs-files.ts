import { z } from 'zod';
import { DataNodes } from './data-nodes.ts';
import { readChecksum } from './hdfs-checksum.ts';
import { HdfsProblem } from './hdfs-problem.ts';
import { type HttpAnswer, type HttpClient, type Sink } from './http-client.ts';
import { type NameNodes, type Operation } from './name-nodes.ts';
import { type RetryDeps, retrying } from './retrying.ts';

const FileStatus = z
  .object({
    pathSuffix: z.string(),
    type: z.string(),
    length: z.number(),
    modificationTime: z.number(),
    blockSize: z.number(),
    // Older gateways leave it out.
    fileId: z.number().default(0),
    // Erasure coded.
    ecBit: z.boolean().default(false),
  })
  .transform(({ pathSuffix, type, length, modificationTime, blockSize, fileId, ecBit }) => ({
    name: pathSuffix,
    kind: type === 'DIRECTORY' ? ('directory' as const) : type === 'FILE' ? ('file' as const) : ('other' as const),
    sizeBytes: length,
    modifiedMs: modificationTime,
    blockSize,
    fileId,
    isStriped: ecBit,
  }));
/** `name` is empty where one file was asked for. */
export type HdfsStatus = z.output<typeof FileStatus>;

const StatusAnswer = z.object({ FileStatus });
const Statuses = z.object({ FileStatuses: z.object({ FileStatus: z.array(FileStatus) }) });
const Page = z.object({ DirectoryListing: z.object({ partialListing: Statuses, remainingEntries: z.number() }) });
const YesOrNo = z.object({ boolean: z.boolean() });
const ChecksumAnswer = z.object({
  FileChecksum: z.object({ algorithm: z.string(), bytes: z.string(), length: z.number() }),
});
const Locations = z.object({
  LocatedBlocks: z.object({
    isUnderConstruction: z.boolean(),
    locatedBlocks: z.array(z.object({ locations: z.array(z.unknown()), block: z.object({ numBytes: z.number() }) })),
  }),
});

export interface Blocks {
  /** Somebody is writing it. */
  readonly isOpen: boolean;
  /** On how few data nodes any block of it is. */
  readonly replicas: number;
  /** In bytes; all as the file's block size says but the last, unless files were put together by CONCAT. */
  readonly sizes: readonly number[];
}

export type HdfsChecksumTold = ReturnType<typeof readChecksum>;

/** The operations of WebHDFS that cold storage needs, each believed only as far as its answer goes. Everything that goes wrong is an HdfsProblem. */
export class HdfsFiles {
  readonly #names: NameNodes;
  readonly #nodes: DataNodes;
  readonly #http: HttpClient;
  readonly #retry: RetryDeps;

  constructor(names: NameNodes, http: HttpClient, retry: RetryDeps) {
    this.#names = names;
    this.#nodes = new DataNodes(names, retry);
    this.#http = http;
    this.#retry = retry;
  }

  async status(path: string, signal?: AbortSignal): Promise<HdfsStatus | undefined> {
    const get = reader(`the status of ${path}`, StatusAnswer);
    return orMissing(
      this.#names.ask({ method: 'GET', op: 'GETFILESTATUS', path }, (answer) => get(answer).FileStatus, signal),
    );
  }

  /** A directory in pages, in the order of the names' signed bytes; `missing` in the problem when it is not there (any more). */
  async *list(path: string, signal?: AbortSignal): AsyncIterable<readonly HdfsStatus[]> {
    const get = reader(`a listing of ${path}`, Page);
    for (let after: string | undefined; ;) {
      const params = after === undefined ? {} : { startafter: after };
      const operation: Operation = { method: 'GET', op: 'LISTSTATUS_BATCH', path, params };
      const { partialListing, remainingEntries } = (await this.#names.ask(operation, get, signal)).DirectoryListing;
      const page = partialListing.FileStatuses.FileStatus;
      yield page;
      if (remainingEntries === 0) return;
      const last = page.at(-1)?.name;
      if (last === undefined || last === after || page.some(({ name }) => name === after)) {
        throw HdfsProblem.untrue(`a listing of ${path} does not get past '${after ?? ''}'`);
      }
      after = last;
    }
  }

  /** With its parents; also when it is there. */
  async makeDirectory(path: string, signal?: AbortSignal): Promise<void> {
    const get = reader(`making ${path}`, YesOrNo);
    const demand = (answer: HttpAnswer): void => {
      if (!get(answer).boolean) throw HdfsProblem.untrue(`the directory ${path} was not made`);
    };
    await this.#names.ask({ method: 'PUT', op: 'MKDIRS', path }, demand, signal);
  }

  /** `replace`: a file at `to`; else FileAlreadyExistsException. A problem that is `unknown` may have been a success. */
  async rename(from: string, to: string, replace: boolean, signal?: AbortSignal): Promise<void> {
    const params = { destination: to, renameoptions: replace ? 'OVERWRITE' : 'NONE' };
    const get = reader(`renaming ${from}`, YesOrNo);
    const demand = (answer: HttpAnswer): void => {
      // With the option the answer is empty; one that has this word did not see the option.
      if (answer.body.length > 0 && !get(answer).boolean) throw HdfsProblem.untrue(`${from} was not renamed to ${to}`);
    };
    await this.#names.ask({ method: 'PUT', op: 'RENAME', path: from, params, repeatable: false }, demand, signal);
  }

  async setModified(path: string, modifiedMs: number, signal?: AbortSignal): Promise<void> {
    const params = { modificationtime: modifiedMs };
    await this.#names.ask({ method: 'PUT', op: 'SETTIMES', path, params }, () => undefined, signal);
  }

  /** False: it was not there; but one whose first answer was lost may have been removed by us. */
  async remove(path: string, signal?: AbortSignal): Promise<boolean> {
    const get = reader(`removing ${path}`, YesOrNo);
    return this.#names.ask({ method: 'DELETE', op: 'DELETE', path }, (answer) => get(answer).boolean, signal);
  }

  /** Undefined: of a kind that is not computed here. */
  async checksum(path: string, signal?: AbortSignal): Promise<HdfsChecksumTold> {
    const operation: Operation = { method: 'GET', op: 'GETFILECHECKSUM', path };
    return retrying(
      this.#retry,
      async () => {
        const doing = `the checksum of ${path}`;
        const ask = (url: URL, headers: Record<string, string>): Promise<HttpAnswer> =>
          this.#http.ask({ method: 'GET', url, headers, doing }, signal);
        const answer = await this.#nodes.at(operation, 200, ask, signal);
        return readChecksum(reader(doing, ChecksumAnswer)(answer).FileChecksum);
      },
      signal,
    );
  }

  async blocks(path: string, signal?: AbortSignal): Promise<Blocks> {
    const get = reader(`the blocks of ${path}`, Locations);
    const answer = await this.#names.ask({ method: 'GET', op: 'GET_BLOCK_LOCATIONS', path }, get, signal);
    const { isUnderConstruction, locatedBlocks } = answer.LocatedBlocks;
    const replicas = Math.min(...locatedBlocks.map(({ locations }) => locations.length));
    const sizes = locatedBlocks.map(({ block }) => block.numBytes);
    return { isOpen: isUnderConstruction, replicas, sizes };
  }

  /** A new file, tried once. Not there or whole only when this resolves: else anything may lie under the name. */
  async create(
    path: string,
    content: {
      readonly sizeBytes: number;
      readonly pieces: () => AsyncIterable<Buffer>;
      readonly blockSize: number;
      readonly replication: number | undefined;
    },
    signal?: AbortSignal,
  ): Promise<void> {
    const { sizeBytes, pieces, blockSize, replication } = content;
    const params = {
      ...{ overwrite: false, createparent: false, blocksize: blockSize },
      ...(replication === undefined ? {} : { replication }),
    };
    const send = (url: URL, headers: Record<string, string>): Promise<HttpAnswer> => {
      const all = { ...headers, 'content-type': 'application/octet-stream' };
      return this.#http.send(
        { method: 'PUT', url, headers: all, doing: `writing ${path}` },
        sizeBytes,
        pieces(),
        signal,
      );
    };
    await this.#nodes.at({ method: 'PUT', op: 'CREATE', path, params }, 201, send, signal);
  }

  /** Hands the bytes of a file to `sink`, tried once. */
  async open(
    path: string,
    sink: Sink,
    options: { readonly firstBytes?: number; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<void> {
    const { firstBytes, signal } = options;
    const params = firstBytes === undefined ? {} : { offset: 0, length: firstBytes };
    const receive = (url: URL, headers: Record<string, string>): Promise<HttpAnswer> =>
      this.#http.receive({ method: 'GET', url, headers, doing: `reading ${path}` }, sink, signal);
    await this.#nodes.at({ method: 'GET', op: 'OPEN', path, params }, 200, receive, signal);
  }

  /** The first bytes of a file that has so many at least. Nothing but their number is compared: HDFS has checksums of whole files only. */
  async head(path: string, bytes: number, signal?: AbortSignal): Promise<Buffer> {
    return retrying(
      this.#retry,
      async () => {
        const pieces: Buffer[] = [];
        const keep = (piece: Buffer): Promise<void> => Promise.resolve(void pieces.push(piece));
        await this.open(path, keep, { firstBytes: bytes, signal });
        const head = Buffer.concat(pieces);
        if (head.length === bytes) return head;
        throw HdfsProblem.untrue(`of the first ${String(bytes)} bytes of ${path} ${String(head.length)} arrived`);
      },
      signal,
    );
  }
}

async function orMissing<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof HdfsProblem && error.missing) return undefined;
    throw error;
  }
}

function reader<T>(what: string, schema: z.ZodType<T>): (answer: HttpAnswer) => T {
  return ({ body }) => {
    try {
      return schema.parse(JSON.parse(body.toString('utf8')));
    } catch (error) {
      throw HdfsProblem.noAnswer(`the answer to ${what} cannot be read`, error);
    }
  };
}
