import { once } from 'node:events';
import { createServer, type IncomingMessage, request as requestHttp, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { type Writable } from 'node:stream';
import { systemClock } from '../../src/runtime/clock.ts';

/** What may happen to a request on its way. Those of the second line reach HDFS. */
export const FAULTS = [
  ...(['503', 'reset', 'hang', 'false', 'standby'] as const),
  ...(['lost', 'truncated', 'short', 'altered', 'slow'] as const),
] as const;
export type Fault = (typeof FAULTS)[number];

export interface SeenRequest {
  readonly op: string;
  readonly method: string;
  readonly node: 'name' | 'data';
  /** `host:port` of the node that it is for. */
  readonly authority: string;
  /** As HDFS has it. */
  readonly path: string;
}

export interface FaultProxyOptions {
  /** What shall happen to a request; asked once for each. */
  readonly fault?: (request: SeenRequest) => Fault | undefined;
  /** Told of the bytes of a file that have passed so far, in either direction. */
  readonly passed?: (request: SeenRequest, bytes: number) => void;
}

/** Stands between a client and a real HDFS, its data nodes too: redirects lead back through it. */
export interface FaultProxy extends AsyncDisposable {
  readonly authority: string;
  readonly seen: readonly SeenRequest[];
}

const SLOW_MS = 1_000;
const PAGE = '<html><body><h1>503 Service Unavailable</h1></body></html>';
const STANDBY = {
  RemoteException: {
    exception: 'StandbyException',
    javaClassName: 'org.apache.hadoop.ipc.StandbyException',
    message: 'Operation category READ is not supported in state standby',
  },
};

export async function faultProxy(upstream: string, options: FaultProxyOptions = {}): Promise<FaultProxy> {
  const seen: SeenRequest[] = [];
  const closed = new AbortController();
  const server = createServer((request, response) => {
    const { seen: one, target } = readTarget(request, upstream);
    seen.push(one);
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    handle(request, response, { one, target, options, own: authority(), closed: closed.signal }).catch(() => {
      response.destroy();
    });
  });
  server.requestTimeout = 0;
  const authority = (): string => `127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    authority: authority(),
    seen,
    [Symbol.asyncDispose]: async () => {
      closed.abort();
      const gone = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await gone;
    },
  };
}

interface Passage {
  readonly one: SeenRequest;
  readonly target: URL;
  readonly options: FaultProxyOptions;
  readonly own: string;
  readonly closed: AbortSignal;
}

/** `/dn/HOST:PORT/webhdfs/…` is for a data node. */
function readTarget(request: IncomingMessage, upstream: string): { seen: SeenRequest; target: URL } {
  const [, dataNode, rest] = /^\/dn\/([^/]+)(\/.*)$/s.exec(request.url ?? '') ?? [];
  const authority = dataNode ?? upstream;
  const target = new URL(rest ?? request.url ?? '', `http://${authority}`);
  const seen: SeenRequest = {
    op: (target.searchParams.get('op') ?? '').toUpperCase(),
    method: request.method ?? '',
    node: dataNode === undefined ? 'name' : 'data',
    authority,
    path: decodeURIComponent(target.pathname).replace('/webhdfs/v1', ''),
  };
  return { seen, target };
}

async function handle(request: IncomingMessage, response: ServerResponse, passage: Passage): Promise<void> {
  const fault = passage.options.fault?.(passage.one);
  switch (fault) {
    case '503':
      response.writeHead(503, { 'content-type': 'text/html', connection: 'close' }).end(PAGE);
      return;
    case 'reset':
      request.socket.resetAndDestroy();
      return;
    case 'hang':
      return;
    case 'false':
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"boolean":false}');
      request.resume();
      return;
    case 'standby':
      response.writeHead(403, { 'content-type': 'application/json' }).end(JSON.stringify(STANDBY));
      request.resume();
      return;
    case 'lost':
    case 'truncated':
    case 'short':
    case 'altered':
    case 'slow':
    case undefined:
      await forward(request, response, passage, fault);
  }
}

type OnTheWay = 'lost' | 'truncated' | 'short' | 'altered' | 'slow' | undefined;

async function forward(
  request: IncomingMessage,
  response: ServerResponse,
  passage: Passage,
  fault: OnTheWay,
): Promise<void> {
  const { one, target } = passage;
  const isUpload = one.node === 'data' && request.method === 'PUT';
  const announced = Number(request.headers['content-length'] ?? 0);
  // What is cut or altered on its way up arrives as if it were all, and HDFS is content with it.
  const upFault = isUpload ? fault : undefined;
  const length = upFault === 'truncated' ? announced >> 1 : upFault === 'short' ? announced - 1 : announced;
  const headers = { ...request.headers, host: target.host, 'content-length': String(length) };
  const sent = requestHttp(target, { method: request.method ?? '', headers, agent: false });
  const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
  answered.catch(() => undefined);
  response.on('close', () => {
    if (!response.writableFinished) sent.destroy();
  });
  await passUp(request, sent, { ...passage, fault: upFault, length });
  const [answer] = await answered;
  if (fault === 'lost') {
    answer.resume();
    await once(answer, 'end');
    request.socket.resetAndDestroy();
    return;
  }
  await passDown(answer, response, passage, isUpload ? undefined : fault);
}

async function passUp(
  request: IncomingMessage,
  sent: ReturnType<typeof requestHttp>,
  { fault, length, one, options, closed }: Passage & { fault: OnTheWay; length: number },
): Promise<void> {
  let passed = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    // The node is gone: what it has to say of that is waited for by the caller.
    if (sent.destroyed) return;
    if (fault === 'slow') await after(SLOW_MS, closed);
    const part = piece.subarray(0, Math.max(0, length - passed));
    passed += part.length;
    const bytes = fault === 'altered' && passed === length ? flipLast(part) : part;
    if (bytes.length > 0 && !sent.write(bytes)) await drained(sent);
    if (one.node === 'data') options.passed?.(one, passed);
  }
  sent.end();
}

async function passDown(
  answer: IncomingMessage,
  response: ServerResponse,
  passage: Passage,
  fault: OnTheWay,
): Promise<void> {
  const { one, own, options } = passage;
  const headers: Record<string, string | string[] | undefined> = { ...answer.headers };
  delete headers['connection'];
  delete headers['transfer-encoding'];
  if (answer.headers.location !== undefined) headers['location'] = throughUs(answer.headers.location, own);
  const status = answer.statusCode ?? 500;
  if (one.node === 'data' && one.op === 'OPEN' && fault === undefined) {
    response.writeHead(status, headers);
    let passed = 0;
    for await (const piece of answer as AsyncIterable<Buffer>) {
      passed += piece.length;
      if (!response.write(piece)) await drained(response);
      options.passed?.(one, passed);
    }
    // What was cut short on its way to us is not finished by us.
    if (answer.complete) response.end();
    else response.destroy();
    return;
  }
  const body = redirectThroughUs(Buffer.concat(await answer.toArray()), own);
  await spoil(response, status, { ...headers, 'content-length': String(body.length) }, body, fault, passage.closed);
}

async function spoil(
  response: ServerResponse,
  status: number,
  headers: Record<string, string | string[] | undefined>,
  body: Buffer,
  fault: OnTheWay,
  closed: AbortSignal,
): Promise<void> {
  const half = body.subarray(0, body.length >> 1);
  switch (fault) {
    case 'truncated':
      response.writeHead(status, headers);
      // An answer without a body is cut off in its head.
      if (body.length === 0) response.destroy();
      else response.write(half, () => response.destroy());
      return;
    case 'short':
      response.writeHead(status, { ...headers, 'content-length': String(half.length) }).end(half);
      return;
    case 'altered':
      response.writeHead(status, headers).end(flipLast(body));
      return;
    case 'slow':
      await after(SLOW_MS, closed);
      response.writeHead(status, headers);
      for (const byte of body) {
        response.write(Buffer.from([byte]));
        await after(SLOW_MS, closed);
        if (response.destroyed) return;
      }
      response.end();
      return;
    case 'lost':
    case undefined:
      response.writeHead(status, headers).end(body);
  }
}

/** Or closed. */
async function drained(stream: Writable): Promise<void> {
  if (stream.destroyed) return;
  await new Promise<void>((resolve) => {
    const end = (): void => {
      stream.off('drain', end).off('close', end);
      resolve();
    };
    stream.on('drain', end).on('close', end);
  });
}

function flipLast(bytes: Buffer): Buffer {
  const flipped = Buffer.from(bytes);
  const last = flipped.length - 1;
  flipped[last] = (flipped[last] ?? 0) ^ 1;
  return flipped;
}

function throughUs(location: string, own: string): string {
  return location.replace(/^https?:\/\/([^/]+)/, `http://${own}/dn/$1`);
}

function redirectThroughUs(body: Buffer, own: string): Buffer {
  const text = body.subarray(0, 20).toString('latin1');
  if (!text.startsWith('{"Location"')) return body;
  const { Location } = JSON.parse(body.toString()) as { Location: string };
  return Buffer.from(JSON.stringify({ Location: throughUs(Location, own) }));
}

/** Also when the proxy closes. */
async function after(ms: number, closed: AbortSignal): Promise<void> {
  if (closed.aborted) throw new Error('the proxy was closed');
  await new Promise<void>((resolve) => {
    const end = (): void => {
      cancel();
      closed.removeEventListener('abort', end);
      resolve();
    };
    const cancel = systemClock.after(ms, end);
    closed.addEventListener('abort', end);
  });
}
