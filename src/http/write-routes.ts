import { TroughError } from '../errors.ts';
import { type Log } from '../log.ts';
import { WriteBody } from '../messages/http-api.ts';
import { type Write } from '../messages/writing.ts';
import { toWriteRequest } from '../messages/write-wire.ts';
import { formatExactJson } from '../model/exact-json.ts';
import { type SegmentId } from '../model/segment-id.ts';
import { type Exchange, type HttpHandler } from './exchange.ts';
import { reportFailure } from './failures.ts';
import { jsonBody } from './json-body.ts';
import { legacySegment, namesSegment, sendLegacyError } from './legacy-face.ts';
import { decodeUtf8 } from './utf8.ts';
import { type V1Handler, V1Router } from './v1-router.ts';

export interface WriteRoutesOptions {
  readonly write: Write;
  /** This node's name, for the original's message about a missing lock. */
  readonly node: string;
  readonly log: Log;
}

/** The write port: the original's face on every path, and `/v1/segments/ID/write`. */
export function writeRoutes(options: WriteRoutesOptions): HttpHandler {
  const v1 = new V1Router('write', { write: writeRoute(options) }, options.log);
  return (exchange) => {
    if (exchange.path.startsWith('/v1/') && !namesSegment(exchange)) return v1.handle(exchange);
    exchange.route = 'write';
    return legacyWrite(exchange, options);
  };
}

async function legacyWrite(exchange: Exchange, { write, node, log }: WriteRoutesOptions): Promise<void> {
  let segment: SegmentId | undefined;
  try {
    segment = legacySegment(exchange);
    const sql = decodeUtf8(await exchange.body());
    if (sql.trim() === '') throw new TroughError('REQUEST_INVALID', 'No query provided.');
    const requestId = requestIdOf(exchange);
    const answer = await write({ segment, request: { kind: 'script', sql }, requestId, onlyHere: true });
    exchange.send({ status: 200, type: 'text/plain', body: 'OK\n', headers: ['Trough-Node', answer.node] });
  } catch (thrown) {
    const error = reportFailure(thrown, log);
    sendLegacyError(exchange, error, segment === undefined ? error.message : legacyMessage(error, segment, node));
  }
}

const REQUEST_ID_LENGTH = 200;

function requestIdOf(exchange: Exchange): string | undefined {
  const id = exchange.header('trough-request-id');
  if (id === undefined || id.length <= REQUEST_ID_LENGTH) return id;
  const message = `the header Trough-Request-Id has ${String(id.length)} characters; ${String(REQUEST_ID_LENGTH)} are allowed`;
  throw new TroughError('REQUEST_INVALID', message);
}

/** Clients of the original look for this very sentence. */
function legacyMessage(error: TroughError, segment: SegmentId, node: string): string {
  if (error.code !== 'SEGMENT_NOT_WRITABLE' && error.code !== 'SEGMENT_UNKNOWN') return error.message;
  return (
    `This node (settings['HOSTNAME']='${node}') cannot write to segment '${segment}'. ` +
    'There is no write lock set, or the write lock authorizes another node. Write lock: None'
  );
}

/** POST `/v1/segments/ID/write`. */
function writeRoute({ write }: WriteRoutesOptions): V1Handler {
  return async (exchange, segment) => {
    const body = await jsonBody(exchange, WriteBody);
    const { deadlineMs, requestId = requestIdOf(exchange) } = body;
    const call = { segment, request: toWriteRequest(body), deadlineMs, requestId, onlyHere: false };
    const { results, sequence, node } = await write(call);
    exchange.send({
      status: 200,
      type: 'application/json',
      body: `${formatExactJson({ results, sequence, node, requestId })}\n`,
    });
  };
}
