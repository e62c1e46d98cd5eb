import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import Database from 'better-sqlite3';
import { TroughError } from '../../../src/errors.ts';
import { formatExactJson, parseExactJson } from '../../../src/model/exact-json.ts';

/** What happens to a write: it is lost before or after it was applied, applied late (around the segment's next rows), or answered busy. */
export type Mishap = 'lost-before' | 'lost-after' | 'late' | 'busy' | 'none';

interface Body {
  readonly sql?: string;
  readonly script?: string;
  readonly schema?: string;
  readonly statements?: readonly { readonly sql: string; readonly params?: unknown[] }[];
}

/** One process that answers as a cluster does, each segment an SQLite database in memory; with mishaps on demand. */
export class FakeTrough implements AsyncDisposable {
  readonly segments = new Map<string, Database.Database>();
  readonly schemas = new Map<string, string>([['default', '']]);
  readonly promoted: string[] = [];
  /** How many writes were made until now. */
  writes = 0;
  mishap: (write: number) => Mishap = () => 'none';
  /** Called with the segment before its n-th write is applied. */
  beforeWrite: (segment: string, write: number) => void = () => undefined;
  /** Answers in place of the fake. */
  answer: ((request: IncomingMessage, response: ServerResponse, body: string) => boolean) | undefined;
  readonly #late = new Map<string, Body>();
  readonly #server = createServer((request, response) => void this.#serve(request, response));

  static async start(): Promise<FakeTrough> {
    const fake = new FakeTrough();
    await new Promise<void>((resolve) => fake.#server.listen(0, '127.0.0.1', resolve));
    return fake;
  }

  get env(): Record<string, string> {
    const url = `http://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`;
    return { TROUGH_READ_URL: url, TROUGH_WRITE_URL: url, TROUGH_MANAGER_URL: url };
  }

  rows(segment: string, sql: string): unknown[] {
    return this.segments.get(segment)?.prepare(sql).raw().all() ?? [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    for (const database of this.segments.values()) database.close();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk as Uint8Array);
    const text = Buffer.concat(chunks).toString('utf8');
    if (this.answer?.(request, response, text) === true) return;
    try {
      this.#route(request, response, text);
    } catch (error) {
      const known = TroughError.from(error, 'SQL_FAILED');
      response.writeHead(known.kind === 'busy' ? 503 : known.kind === 'missing' ? 404 : 400, {
        'content-type': 'application/json',
      });
      response.end(JSON.stringify({ error: known.toRecord() }));
    }
  }

  #route(request: IncomingMessage, response: ServerResponse, text: string): void {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://x').pathname);
    const [, schema] = /^\/schema\/([^/]+)\/sql$/.exec(path) ?? [];
    if (schema !== undefined) {
      if (request.method === 'GET' && !this.schemas.has(schema))
        throw new TroughError('SCHEMA_UNKNOWN', `there is no schema '${schema}'`);
      if (request.method === 'PUT') this.schemas.set(schema, text);
      response.end(this.schemas.get(schema));
      return;
    }
    const [, segment = '', verb] = /^\/v1\/segments\/([^/]+)\/(\w+)$/.exec(path) ?? [];
    const body = (text === '' ? {} : parseExactJson(text)) as Body;
    if (verb === 'provision') response.end(JSON.stringify(this.#provision(segment, body)));
    else if (verb === 'query') response.end(formatExactJson(this.#query(segment, body)));
    else if (verb === 'write') this.#write(segment, body, response);
    else if (verb === 'promote') response.end(JSON.stringify(this.#promote(segment)));
    else throw new TroughError('ROUTE_UNKNOWN', path);
  }

  #provision(segment: string, { schema = 'default' }: Body): unknown {
    const created = !this.segments.has(segment);
    if (created) {
      const database = new Database(':memory:');
      database.defaultSafeIntegers(true);
      database.exec(this.schemas.get(schema) ?? '');
      this.segments.set(segment, database);
    }
    return { segment, node: 'fake', writeUrl: 'http://x/', sizeBytes: 0, schema, created };
  }

  #promote(segment: string): unknown {
    this.promoted.push(segment);
    return { segment, version: 1, sizeBytes: 1, sha256: '', path: `/cold/${segment}` };
  }

  #query(segment: string, { sql = '' }: Body): unknown {
    const statement = this.#database(segment).prepare(sql);
    const rows = statement.raw().all();
    return {
      columns: statement.columns().map(({ name }) => name),
      rows,
      segment,
      version: 'live',
      node: 'fake',
      truncated: false,
    };
  }

  #write(segment: string, body: Body, response: ServerResponse): void {
    this.writes += 1;
    const mishap = this.mishap(this.writes);
    if (mishap === 'busy') throw new TroughError('WRITE_QUEUE_FULL', 'too much to do');
    if (mishap === 'lost-before') {
      response.destroy();
      return;
    }
    if (mishap === 'late') {
      this.#late.set(segment, body);
      response.destroy();
      return;
    }
    this.beforeWrite(segment, this.writes);
    const late = body.statements === undefined ? undefined : this.#late.get(segment);
    if (late !== undefined) this.#late.delete(segment);
    if (late !== undefined && this.writes % 2 === 0) this.#apply(segment, late);
    const results = this.#apply(segment, body);
    if (late !== undefined && this.writes % 2 === 1) this.#apply(segment, late);
    if (mishap === 'lost-after') response.destroy();
    else response.end(formatExactJson({ results, sequence: this.writes, node: 'fake' }));
  }

  #apply(segment: string, body: Body): { changes: number; lastInsertRowid: number | bigint }[] {
    const database = this.#database(segment);
    return database.transaction(() => {
      if (body.script !== undefined) database.exec(body.script);
      return (body.statements ?? []).map(({ sql, params = [] }) => {
        const { changes, lastInsertRowid } = database.prepare(sql).run(...params);
        return { changes, lastInsertRowid };
      });
    })();
  }

  #database(segment: string): Database.Database {
    const database = this.segments.get(segment);
    if (database === undefined) throw new TroughError('SEGMENT_UNKNOWN', `there is no segment '${segment}'`);
    return database;
  }
}
