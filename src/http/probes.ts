import { type Exchange } from './exchange.ts';
import { type HttpMetrics } from './metrics.ts';
import { firstParameter } from './query-string.ts';

export interface Readiness {
  readonly ready: boolean;
  /** Why not, in words. */
  readonly reasons: readonly string[];
}

export interface ProbeOptions {
  readonly node: string;
  readonly metrics: HttpMetrics;
  readonly ready: () => Promise<Readiness>;
}

/**
 * Whether it asks for `/healthz`, `/readyz` or `/metrics`, which every port answers. Any path may name a query on a segment, so these
 * are only meant by GET and HEAD without a `segment` parameter.
 */
export function isProbe({ path, method, query }: Exchange): boolean {
  if (path !== '/healthz' && path !== '/readyz' && path !== '/metrics') return false;
  return (method === 'GET' || method === 'HEAD') && firstParameter(query, 'segment') === undefined;
}

export async function answerProbe(exchange: Exchange, options: ProbeOptions): Promise<void> {
  exchange.route = exchange.path;
  switch (exchange.path) {
    case '/metrics':
      exchange.send({ status: 200, type: options.metrics.contentType, body: await options.metrics.render() });
      return;
    case '/readyz': {
      const { ready, reasons } = await options.ready();
      sendJson(exchange, ready ? 200 : 503, { ready, reasons, node: options.node });
      return;
    }
    default:
      sendJson(exchange, 200, { ok: true, node: options.node });
  }
}

function sendJson(exchange: Exchange, status: number, body: object): void {
  const headers = status === 503 ? ['Retry-After', '1'] : [];
  exchange.send({ status, type: 'application/json', body: `${JSON.stringify(body)}\n`, headers });
}
