import { type Log } from '../log.ts';
import { type ReadChanges } from '../messages/changes.ts';
import { type QueryReports } from '../messages/query-reports.ts';
import { type Read, type ReadAnswer } from '../messages/reading.ts';
import { type Dressing, IN_PARTS_FROM_BYTES, sendRows } from './answer-stream.ts';
import { type Exchange, type HttpHandler } from './exchange.ts';
import { reportFailure } from './failures.ts';
import { legacySegment, namesSegment, sendLegacyError } from './legacy-face.ts';
import { decodeUtf8 } from './utf8.ts';
import { changeHandlers } from './v1-changes.ts';
import { queryRoute } from './v1-query.ts';
import { reportHandlers } from './v1-reports.ts';
import { V1Router } from './v1-router.ts';

export interface ReadRoutesOptions {
  readonly read: Read;
  readonly reports: QueryReports;
  readonly changes: ReadChanges;
  readonly log: Log;
}

const LIST: Dressing = { type: 'application/json', before: '[', after: () => ']\n', compress: false };

/** The read port: the original's face on every path, and what `/v1` has of queries. */
export function readRoutes(options: ReadRoutesOptions): HttpHandler {
  const { reports, changes, log } = options;
  const handlers = { query: queryRoute(options), ...changeHandlers(changes), ...reportHandlers(reports) };
  const v1 = new V1Router('read', handlers, log);
  return (exchange) => {
    if (exchange.path.startsWith('/v1/') && !namesSegment(exchange)) return v1.handle(exchange);
    exchange.route = 'read';
    return legacyRead(exchange, options);
  };
}

async function legacyRead(exchange: Exchange, { read, log }: ReadRoutesOptions): Promise<void> {
  try {
    const segment = legacySegment(exchange);
    const sql = decodeUtf8(await exchange.body());
    const consistency = exchange.header('trough-consistency') === 'any' ? 'any' : 'strong';
    const answer = await read(
      { segment, sql, format: 'legacy', bigints: 'digits', consistency, hops: 0 },
      exchange.signal,
    );
    const { body } = answer;
    if (body instanceof Uint8Array && body.length < IN_PARTS_FROM_BYTES) sendList(exchange, answer, body);
    else await sendRows(exchange, answer, LIST, log);
  } catch (thrown) {
    sendLegacyError(exchange, reportFailure(thrown, log));
  }
}

/**
 * The way of nearly every answer. Legacy rows are ASCII: a short one leaves in one write with its head, as one string.
 */
function sendList(exchange: Exchange, answer: ReadAnswer, rows: Uint8Array): void {
  const { response } = exchange;
  if (response.destroyed) return;
  exchange.sends(rows.length);
  const text = Buffer.from(rows.buffer, rows.byteOffset, rows.length).toString('latin1');
  response.writeHead(200, [
    'Content-Type',
    'application/json',
    'Content-Length',
    String(rows.length + 3),
    'Trough-Node',
    answer.node,
    'Trough-Version',
    answer.version,
  ]);
  response.end(`[${text}]\n`, 'latin1');
}
