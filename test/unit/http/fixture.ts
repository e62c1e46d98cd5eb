import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { TroughError } from '../../../src/errors.ts';
import { silentLog } from '../../../src/log.ts';
import { type HttpHandler } from '../../../src/http/exchange.ts';
import { type HttpServer, type HttpServerOptions, startHttpServer } from '../../../src/http/http-server.ts';
import { HttpMetrics } from '../../../src/http/metrics.ts';
import { type ReadChanges } from '../../../src/messages/changes.ts';
import { type Control } from '../../../src/messages/control.ts';
import { type QueryReports } from '../../../src/messages/query-reports.ts';
import { type ReadAnswer } from '../../../src/messages/reading.ts';

export const log = silentLog;

/** A server on a free port of loopback, small limits, always ready. */
export function serve(handler: HttpHandler, more: Partial<HttpServerOptions> = {}): Promise<HttpServer> {
  return startHttpServer({
    name: 'test',
    host: '127.0.0.1',
    port: 0,
    handler,
    bodyLimitBytes: 1_000_000,
    log,
    node: 'n1',
    metrics: new HttpMetrics(),
    ready: () => Promise.resolve({ ready: true, reasons: [] }),
    graceMs: 2_000,
    ...more,
  });
}

export interface Got {
  readonly status: number;
  readonly reason: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** The connection broke before the answer was complete. */
  readonly broken: boolean;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
}

/** One request by node's own client, which sends a GET with a body, any Host, and shows a broken answer as far as it came. */
export function ask(server: { readonly port: number }, path: string, options: Ask = {}): Promise<Got> {
  const { method = 'POST', headers = {}, body = '' } = options;
  return new Promise((resolve, reject) => {
    const length = 'Transfer-Encoding' in headers ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
    const request = httpRequest({
      host: '127.0.0.1',
      port: server.port,
      path,
      method,
      headers: { ...length, ...headers },
      agent: false,
    });
    request.on('error', reject);
    request.on('response', (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', () => undefined);
      response.on('close', () => {
        const text = Buffer.concat(parts).toString('utf8');
        const { statusCode = 0, statusMessage = '' } = response;
        resolve({
          status: statusCode,
          reason: statusMessage,
          headers: response.headers,
          body: text,
          broken: !response.complete,
        });
      });
    });
    request.end(body);
  });
}

export function askJson(server: { readonly port: number }, path: string, body: unknown, headers = {}): Promise<Got> {
  return ask(server, path, { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json', ...headers } });
}

export async function rawConnection(server: { readonly port: number }): Promise<Socket> {
  const socket = connect(server.port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

export function answerOf(body: ReadAnswer['body'] | string, more: Partial<ReadAnswer> = {}): ReadAnswer {
  return {
    node: 'n1',
    version: '42',
    columns: ['a'],
    body: typeof body === 'string' ? Buffer.from(body) : body,
    summary: () => ({ rows: 1, truncated: false }),
    ...more,
  };
}

/** Parts in order; an Error among them ends the stream with it. */
export async function* stream(...parts: (string | Error)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) {
    await Promise.resolve();
    if (part instanceof Error) throw part;
    yield Buffer.from(part);
  }
}

function notExpected(): Promise<never> {
  return Promise.reject(new TroughError('INTERNAL', 'this call was not expected'));
}

/** Control of which only the given verbs answer. */
export function fakeControl(verbs: Partial<Control>): Control {
  return {
    provision: notExpected,
    promote: notExpected,
    release: notExpected,
    moveWriter: notExpected,
    shred: notExpected,
    schema: notExpected,
    segments: notExpected,
    segment: notExpected,
    status: notExpected,
    plan: notExpected,
    drain: notExpected,
    rule: notExpected,
    coldCheck: notExpected,
    rebuild: notExpected,
    ...verbs,
  };
}

/** Reports of which only the given ones answer. */
export function fakeReports(given: Partial<QueryReports> = {}): QueryReports {
  return {
    segment: notExpected,
    slow: () => {
      throw new TroughError('INTERNAL', 'this call was not expected');
    },
    ...given,
  };
}

/** A feed of changes that nobody should ask in a test that is about something else. */
export const noChanges: ReadChanges = () => Promise.reject(new TroughError('STOPPING', 'reached'));
