import { STATUS_CODES } from 'node:http';
import { type ErrorCode } from '../errors.ts';
import { type Exchange } from './exchange.ts';

/** An error page for a person: on the original's manager routes errors are HTML. */
export function sendPage(
  exchange: Exchange,
  status: number,
  message: string,
  code?: ErrorCode,
  headers: readonly string[] = [],
): void {
  const title = `${String(status)} ${STATUS_CODES[status] ?? 'Error'}`;
  exchange.send({
    status,
    type: 'text/html; charset=utf-8',
    body: `<!doctype html>\n<title>${title}</title>\n<h1>${title}</h1>\n<p>${escape(message)}</p>\n`,
    headers: code === undefined ? headers : ['Trough-Error', code, ...headers],
  });
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
