import { type TroughError } from '../errors.ts';
import { type Log } from '../log.ts';
import { type Exchange } from './exchange.ts';
import { reportFailure } from './failures.ts';
import { sendPage } from './html-page.ts';
import { retryHeaders } from './status.ts';

/** `id` is the decoded variable part of the path; empty on routes without one. */
export type LegacyHandler = (exchange: Exchange, id: string) => Promise<void>;

export interface LegacyRoute {
  /** `{id}` stands for one percent-encoded path part that is not empty. */
  readonly path: string;
  readonly methods: Readonly<Partial<Record<'GET' | 'PUT' | 'POST' | 'DELETE', LegacyHandler>>>;
}

/** Routes as the original's manager has them: 404, 405 and OPTIONS included; a failure that a route does not turn into an answer is a 500 page. */
export class LegacyRouter {
  readonly #routes: readonly { readonly parts: readonly string[]; readonly route: LegacyRoute }[];
  readonly #log: Log;

  constructor(routes: readonly LegacyRoute[], log: Log) {
    this.#routes = routes.map((route) => ({ parts: route.path.split('/'), route }));
    this.#log = log;
  }

  async handle(exchange: Exchange): Promise<void> {
    const parts = exchange.path.split('/').map(decodePart);
    const found = this.#routes.find((one) => matches(one.parts, parts));
    if (found === undefined) {
      sendPage(exchange, 404, 'there is no such page');
      return;
    }
    exchange.route = found.route.path;
    const { methods } = found.route;
    const method = exchange.method === 'HEAD' ? 'GET' : exchange.method;
    const handler = Object.hasOwn(methods, method) ? methods[method as keyof typeof methods] : undefined;
    if (handler === undefined) {
      refuseMethod(exchange, allowed(found.route));
      return;
    }
    try {
      await handler(exchange, parts[found.parts.indexOf('{id}')] ?? '');
    } catch (thrown) {
      const error = reportFailure(thrown, this.#log);
      sendPage(exchange, pageStatus(error), error.message, error.code, retryHeaders(error));
    }
  }
}

function refuseMethod(exchange: Exchange, allow: string): void {
  if (exchange.method === 'OPTIONS') {
    exchange.send({ status: 200, type: 'text/html; charset=utf-8', body: '', headers: ['Allow', allow] });
    return;
  }
  sendPage(exchange, 405, `this page takes ${allow}`, 'METHOD_NOT_ALLOWED', ['Allow', allow]);
}

function allowed({ methods }: LegacyRoute): string {
  const names = Object.keys(methods);
  return ['OPTIONS', ...names, ...(names.includes('GET') ? ['HEAD'] : [])].join(', ');
}

/** The original knows no other status than 500 for what it does not foresee; these two say that the fault is in the request. */
function pageStatus(error: TroughError): number {
  if (error.code === 'SEGMENT_ID_INVALID') return 400;
  return error.code === 'REQUEST_TOO_LARGE' ? 413 : 500;
}

function matches(template: readonly string[], parts: readonly (string | undefined)[]): boolean {
  if (template.length !== parts.length) return false;
  return template.every((part, at) => (part === '{id}' ? (parts[at] ?? '') !== '' : part === parts[at]));
}

/** Undefined for broken percent-encoding: it matches nothing. */
function decodePart(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}
