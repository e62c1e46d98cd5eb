import { TroughError } from '../errors.ts';
import { type Log } from '../log.ts';
import { V1_ROUTES, type V1Operation, type V1Port, type V1Route } from '../messages/http-routes.ts';
import { parseSegmentId, type SegmentId } from '../model/segment-id.ts';
import { type Exchange } from './exchange.ts';
import { reportFailure } from './failures.ts';
import { openApiText } from './openapi.ts';
import { httpStatus, retryHeaders } from './status.ts';

/** `segment` is checked; undefined on routes without one. */
export type V1Handler = (exchange: Exchange, segment: SegmentId) => Promise<void>;
/** One handler for each route of the port: a route without one does not compile. */
export type V1Handlers<P extends V1Port> = {
  readonly [O in V1Operation as (typeof V1_ROUTES)[O]['port'] extends P ? O : never]: V1Handler;
};

interface Binding {
  readonly route: V1Route;
  readonly parts: readonly string[];
  readonly handler: V1Handler;
}

/** The `/v1` routes of one port: JSON in and out, every error with its code. */
export class V1Router {
  readonly #bindings: readonly Binding[];
  readonly #log: Log;

  constructor(port: 'read' | 'write' | 'manager', handlers: Readonly<Record<string, V1Handler>>, log: Log) {
    this.#log = log;
    const all: Readonly<Record<string, V1Handler>> = { ...handlers, openapi: sendOpenApi };
    this.#bindings = Object.entries<V1Route>(V1_ROUTES).flatMap(([operation, route]) => {
      const handler = all[operation];
      if (handler === undefined || (route.port !== port && route.port !== 'every')) return [];
      return [{ route, parts: route.path.split('/'), handler }];
    });
  }

  async handle(exchange: Exchange): Promise<void> {
    exchange.route = '/v1';
    try {
      if (exchange.method === 'OPTIONS') {
        exchange.send({
          status: 204,
          type: 'text/plain',
          body: '',
          headers: ['Allow', allowed(this.#onPath(exchange))],
        });
        return;
      }
      const { binding, segment } = this.#find(exchange);
      exchange.route = binding.route.path;
      await binding.handler(exchange, segment as SegmentId);
    } catch (thrown) {
      sendV1Error(exchange, reportFailure(thrown, this.#log));
    }
  }

  #find(exchange: Exchange): { binding: Binding; segment: SegmentId | undefined } {
    const method = exchange.method === 'HEAD' ? 'GET' : exchange.method;
    const onPath = this.#onPath(exchange);
    const binding = onPath.find(({ route }) => route.method === method);
    if (binding === undefined) {
      const allow = allowed(onPath);
      throw new TroughError('METHOD_NOT_ALLOWED', `${exchange.method} is not for ${exchange.path}; it takes ${allow}`, {
        allow,
      });
    }
    const at = binding.parts.indexOf('{segment}');
    const part = exchange.path.split('/')[at] ?? '';
    return { binding, segment: at === -1 ? undefined : parseSegmentId(decodePart(part)) };
  }

  /** What the port has on the path of the request; ROUTE_UNKNOWN when there is nothing. */
  #onPath(exchange: Exchange): readonly Binding[] {
    const parts = exchange.path.split('/');
    const onPath = this.#bindings.filter((binding) => matches(binding.parts, parts));
    if (onPath.length === 0) throw routeUnknown(exchange, parts);
    return onPath;
  }
}

function allowed(bindings: readonly Binding[]): string {
  return bindings.map(({ route }) => (route.method === 'GET' ? 'GET, HEAD' : route.method)).join(', ');
}

function matches(template: readonly string[], parts: readonly string[]): boolean {
  return template.length === parts.length && template.every((part, at) => part === '{segment}' || part === parts[at]);
}

function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (error) {
    throw new TroughError('REQUEST_INVALID', `'${part}' is not percent-encoded UTF-8`, {}, error);
  }
}

function routeUnknown(exchange: Exchange, parts: readonly string[]): TroughError {
  const elsewhere = Object.values<V1Route>(V1_ROUTES).find(({ path }) => matches(path.split('/'), parts));
  const hint =
    elsewhere === undefined ? '; GET /v1/openapi.json lists the routes' : `; the ${elsewhere.port} port serves it`;
  return new TroughError('ROUTE_UNKNOWN', `no route ${exchange.method} ${exchange.path} here${hint}`);
}

function sendOpenApi(exchange: Exchange): Promise<void> {
  exchange.send({ status: 200, type: 'application/json', body: openApiText() });
  return Promise.resolve();
}

/** `{"error": …}` with the status of its kind. */
export function sendV1Error(exchange: Exchange, error: TroughError): void {
  const headers = ['Trough-Error', error.code, ...retryHeaders(error)];
  if (typeof error.context['allow'] === 'string' && error.code === 'METHOD_NOT_ALLOWED')
    headers.push('Allow', error.context['allow']);
  const body = `${JSON.stringify({ error: error.toRecord() })}\n`;
  exchange.send({ status: httpStatus(error), type: 'application/json', body, headers });
}
