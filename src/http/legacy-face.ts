import { type TroughError } from '../errors.ts';
import { parseSegmentId, type SegmentId } from '../model/segment-id.ts';
import { type Exchange } from './exchange.ts';
import { firstParameter } from './query-string.ts';
import { retryHeaders } from './status.ts';

/** The face of the original's read and write ports: any path and method, the segment in the URL or the host name. */
export function namesSegment(exchange: Exchange): boolean {
  return firstParameter(exchange.query, 'segment') !== undefined;
}

/** `?segment=`, else the first label of the Host header. SEGMENT_ID_INVALID. */
export function legacySegment(exchange: Exchange): SegmentId {
  const named = firstParameter(exchange.query, 'segment');
  if (named !== undefined) return parseSegmentId(named);
  const host = exchange.header('host') ?? '';
  const dot = host.indexOf('.');
  return parseSegmentId(dot === -1 ? host : host.slice(0, dot));
}

/** `500 Server Error: …`, the one error answer that the original's clients understand. */
export function sendLegacyError(exchange: Exchange, error: TroughError, message = error.message): void {
  exchange.send({
    status: 500,
    reason: 'Server Error',
    type: 'text/plain',
    body: `500 Server Error: ${message}\n`,
    headers: ['Trough-Error', error.code, ...retryHeaders(error)],
  });
}
