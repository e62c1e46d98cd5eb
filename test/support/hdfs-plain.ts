import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';

export interface PlainStatus {
  readonly pathSuffix: string;
  readonly type: 'FILE' | 'DIRECTORY';
  readonly length: number;
  readonly modificationTime: number;
  readonly fileId: number;
}

interface Answer {
  readonly status: number;
  readonly location: string | undefined;
  readonly body: Buffer;
}

type Params = Readonly<Record<string, string | number | boolean>>;

/** Somebody else's hands in an HDFS: the shortest client there is, without any check. Paths are absolute. */
export class PlainHdfs {
  readonly #url: string;

  /** `http://host:port/webhdfs/v1` */
  constructor(url: string) {
    this.#url = url;
  }

  url(path: string, op: string, params: Params = {}): URL {
    const url = new URL(
      this.#url +
        path
          .split('/')
          .map((part) => encodeURIComponent(part))
          .join('/'),
    );
    const all: Params = { op, 'user.name': 'root', ...params };
    for (const [name, value] of Object.entries(all)) url.searchParams.set(name, String(value));
    return url;
  }

  /** Written in place, replacing what was there. */
  async put(path: string, content: Uint8Array | string, params: Params = {}): Promise<void> {
    const { location } = await send('PUT', this.url(path, 'CREATE', { overwrite: true, ...params }));
    demand(201, await send('PUT', new URL(location ?? ''), content));
  }

  /** Begins to write, and leaves the file open until `end` is called. */
  async begin(path: string, content: Uint8Array): Promise<{ end(): Promise<void>; breakOff(): void }> {
    const { location } = await send('PUT', this.url(path, 'CREATE', { overwrite: true }));
    const sent = request(new URL(location ?? ''), { method: 'PUT' });
    sent.on('error', () => undefined);
    const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
    answered.catch(() => undefined);
    sent.write(content);
    return {
      end: async () => {
        sent.end();
        const [response] = await answered;
        response.resume();
      },
      breakOff: () => {
        sent.destroy();
      },
    };
  }

  async get(path: string): Promise<Buffer | undefined> {
    const first = await send('GET', this.url(path, 'OPEN'));
    if (first.status === 404) return undefined;
    const { body } = demand(200, await send('GET', new URL(first.location ?? '')));
    return body;
  }

  async makeDirectory(path: string): Promise<void> {
    demand(200, await send('PUT', this.url(path, 'MKDIRS')));
  }

  async rename(from: string, to: string): Promise<void> {
    demand(200, await send('PUT', this.url(from, 'RENAME', { destination: to, renameoptions: 'OVERWRITE' })));
  }

  /** Puts the others behind the first; they are gone then. */
  async concat(path: string, others: readonly string[]): Promise<void> {
    demand(200, await send('POST', this.url(path, 'CONCAT', { sources: others.join(',') })));
  }

  async remove(path: string): Promise<void> {
    demand(200, await send('DELETE', this.url(path, 'DELETE', { recursive: true })));
  }

  async setModified(path: string, ms: number): Promise<void> {
    demand(200, await send('PUT', this.url(path, 'SETTIMES', { modificationtime: ms })));
  }

  async status(path: string): Promise<PlainStatus | undefined> {
    const answer = await send('GET', this.url(path, 'GETFILESTATUS'));
    if (answer.status === 404) return undefined;
    return (JSON.parse(demand(200, answer).body.toString()) as { FileStatus: PlainStatus }).FileStatus;
  }

  async checksum(path: string): Promise<string> {
    const first = await send('GET', this.url(path, 'GETFILECHECKSUM'));
    const { body } = demand(200, await send('GET', new URL(first.location ?? '')));
    const { FileChecksum: told } = JSON.parse(body.toString()) as { FileChecksum: { bytes: string; length: number } };
    return told.bytes.slice(0, 2 * told.length);
  }

  /** Every file below a directory, by its path from there. */
  async files(directory: string): Promise<string[]> {
    const answer = await send('GET', this.url(directory, 'LISTSTATUS'));
    if (answer.status === 404) return [];
    const { FileStatuses } = JSON.parse(demand(200, answer).body.toString()) as {
      FileStatuses: { FileStatus: PlainStatus[] };
    };
    const found = FileStatuses.FileStatus.map(async ({ pathSuffix, type }) => {
      if (type === 'FILE') return [pathSuffix];
      return (await this.files(`${directory}/${pathSuffix}`)).map((path) => `${pathSuffix}/${path}`);
    });
    return (await Promise.all(found)).flat();
  }
}

function demand(status: number, answer: Answer): Answer {
  if (answer.status !== status) throw new Error(`HDFS answers ${String(answer.status)}: ${answer.body.toString()}`);
  return answer;
}

async function send(method: string, url: URL, content?: Uint8Array | string): Promise<Answer> {
  const sent = request(url, { method, agent: false, headers: { 'content-type': 'application/octet-stream' } });
  sent.end(content);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const body = Buffer.concat(await response.toArray());
  return { status: response.statusCode ?? 0, location: response.headers.location, body };
}
