import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, Server as NetServer, type Socket } from 'node:net';
import { TroughError } from '../errors.ts';
import { type Log } from '../log.ts';
import { Exchange, type ExchangeLimits, type HttpHandler } from './exchange.ts';
import { reportFailure } from './failures.ts';
import { answerProbe, isProbe, type ProbeOptions } from './probes.ts';

export interface HttpServerOptions extends ProbeOptions {
  /** Names the port in metrics and log lines. */
  readonly name: string;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** The host in `url`, when others reach this one by another name than `host`. */
  readonly advertisedHost?: string | undefined;
  readonly handler: HttpHandler;
  readonly bodyLimitBytes: number;
  readonly log: Log;
  /** A client that takes nothing for so long, although there is something for it, is cut off. Default 300,000. */
  readonly patienceMs?: number | undefined;
  /** At the end, so long may requests in flight go on; then their connections are cut. */
  readonly graceMs?: number | undefined;
}

const HEADERS_TIMEOUT_MS = 20_000;
/** For the request alone: an answer may take as long as it wants. */
const REQUEST_TIMEOUT_MS = 300_000;
const KEEP_ALIVE_MS = 60_000;
const CHECK_INTERVAL_MS = 5_000;
const GRACE_MS = 5_000;
/** Long: a reader may work for a while at what it has taken, and the deadline of a query ends it as well. */
const PATIENCE_MS = 300_000;

/** Listens. PORT_IN_USE, or CONFIG_INVALID for an address that cannot be had. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const server = new HttpServer(options);
  await server.listen();
  return server;
}

/** One port: node:http with limits, probes, metrics and a stop that lets requests end. */
export class HttpServer implements AsyncDisposable {
  readonly #options: HttpServerOptions;
  readonly #limits: ExchangeLimits;
  readonly #server: Server;
  /** Each connection, with the number of its exchanges that have not ended. */
  readonly #connections = new Map<Socket, number>();
  #port = 0;
  #inFlight = 0;
  readonly #allEnded = Promise.withResolvers<undefined>();
  #stopping = false;
  #stopped: Promise<void> | undefined;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    const { bodyLimitBytes, patienceMs = PATIENCE_MS } = options;
    this.#limits = { bodyLimitBytes, patienceMs };
    this.#server = createServer({
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
      noDelay: true,
    });
    this.#server.on('connection', (socket: Socket) => {
      this.#connections.set(socket, 0);
      socket.once('close', () => this.#connections.delete(socket));
    });
    this.#server.on('timeout', (socket: Socket) => {
      const isIdle = (this.#connections.get(socket) ?? 0) === 0;
      // Else nobody but ourselves holds it up.
      if (isIdle || socket.writableLength > 0) socket.destroy();
    });
    this.#server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      this.#answer(request, response);
    });
    this.#server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      if (Number(request.headers['content-length'] ?? 0) <= options.bodyLimitBytes) response.writeContinue();
      this.#answer(request, response);
    });
  }

  get port(): number {
    return this.#port;
  }

  /** Ends with a slash. */
  get url(): string {
    const host = this.#options.advertisedHost ?? this.#options.host;
    return `http://${host.includes(':') ? `[${host}]` : host}:${String(this.port)}/`;
  }

  async listen(): Promise<void> {
    const { host, port } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => {
        reject(listenError(error, host, port));
      });
      this.#server.listen({ host, port }, resolve);
    });
    this.#port = (this.#server.address() as AddressInfo).port;
    this.#server.on('error', (error) => {
      this.#options.log.error({ err: error, port: this.#options.name }, 'a port failed');
    });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { name, metrics } = this.#options;
    const { socket } = request;
    // It crossed the end of its connection on the way. Nobody can be told what came of it, so it must not be done.
    if (socket.writableEnded || socket.destroyed) {
      socket.destroy();
      return;
    }
    const begun = performance.now();
    const exchange = new Exchange(request, response, this.#limits, ({ route }) => {
      metrics.end(name, route, response.statusCode, (performance.now() - begun) / 1000);
      this.#ended(socket);
    });
    metrics.begin(name);
    this.#inFlight += 1;
    this.#connections.set(socket, (this.#connections.get(socket) ?? 0) + 1);
    if (this.#stopping) response.shouldKeepAlive = false;
    const done = isProbe(exchange) ? answerProbe(exchange, this.#options) : this.#options.handler(exchange);
    done.catch((thrown: unknown) => {
      const { message } = reportFailure(thrown, this.#options.log);
      if (response.headersSent) exchange.cutOff();
      else exchange.send({ status: 500, type: 'text/plain', body: `500 Server Error: ${message}\n` });
    });
  }

  #ended(socket: Socket): void {
    const others = (this.#connections.get(socket) ?? 1) - 1;
    if (!socket.destroyed) this.#connections.set(socket, others);
    this.#inFlight -= 1;
    if (!this.#stopping) return;
    if (others === 0) socket.destroySoon();
    if (this.#inFlight === 0) this.#allEnded.resolve(undefined);
  }

  /** Accepts nothing more, closes what is idle, waits for requests in flight within the grace, then cuts. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#stopping = true;
    const closed = new Promise<void>((resolve) => {
      // Not http.Server's own close: it destroys connections whose answer is written but not yet taken by a slow client.
      NetServer.prototype.close.call(this.#server, () => {
        resolve();
      });
    });
    for (const [socket, exchanges] of this.#connections) if (exchanges === 0) socket.destroySoon();
    const timer = setTimeout(() => {
      for (const socket of this.#connections.keys()) socket.destroy();
    }, this.#options.graceMs ?? GRACE_MS);
    if (this.#inFlight > 0) await this.#allEnded.promise;
    await closed;
    clearTimeout(timer);
    this.#server.closeAllConnections();
  }
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): TroughError {
  const at = `${host}:${String(port)}`;
  switch (error.code ?? '') {
    case 'EADDRINUSE':
      return new TroughError('PORT_IN_USE', `another process listens on ${at}`, { host, port }, error);
    case 'EACCES':
      return new TroughError('CONFIG_INVALID', `this user may not listen on ${at}`, { host, port }, error);
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EINVAL':
      return new TroughError('CONFIG_INVALID', `${at} is not an address of this machine`, { host, port }, error);
    default:
      return new TroughError('CONFIG_INVALID', `cannot listen on ${at}: ${error.message}`, { host, port }, error);
  }
}
