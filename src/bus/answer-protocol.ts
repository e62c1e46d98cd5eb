import { TroughError, type ErrorContext, type ErrorKind } from '../errors.ts';
import { type BusHeaders } from './bus.ts';

/** The headers of requests and answers; README.md of this folder tells the whole conversation. */
export const HEADER = {
  /** HTTP-like number, on the first message of every answer and on an error that ends one. */
  status: 'Trough-Status',
  /** The code of an error; the body is its record as JSON. */
  error: 'Trough-Error',
  /** Number of a chunk from 0. Absent: the message is the whole answer. */
  sequence: 'Trough-Seq',
  /** `1` on the last chunk. */
  last: 'Trough-Last',
  /** On a request: the asker takes chunks, and waits so many ms for each message. */
  patience: 'Trough-Patience',
  /** `1` on a message that says only: still at it (repeated while nothing else is sent), and where to cancel (its reply subject). */
  working: 'Trough-Working',
  /** `1` on a message to an acknowledgement subject: the asker is gone. */
  cancel: 'Trough-Cancel',
  serviceErrorCode: 'Nats-Service-Error-Code',
  serviceError: 'Nats-Service-Error',
} as const;

const PROTOCOL_HEADERS = new Set<string>(Object.values(HEADER));

/** Largest body of one message, in bytes. */
export const CHUNK_BYTES = 512 * 1024;
/** Most chunks of one answer that are sent and not acknowledged. */
export const WINDOW = 8;
export const NOTHING = new Uint8Array(0);

const STATUS: Readonly<Record<ErrorKind, string>> = {
  input: '400',
  large: '413',
  missing: '404',
  conflict: '409',
  busy: '503',
  crowded: '429',
  unknown: '503',
  late: '504',
  broken: '500',
};

/** The headers and body of the message that carries an error. */
export function encodeError(error: TroughError): { headers: BusHeaders; body: Uint8Array } {
  const status = STATUS[error.kind];
  const headers = {
    [HEADER.status]: status,
    [HEADER.error]: error.code,
    [HEADER.serviceErrorCode]: status,
    [HEADER.serviceError]: error.code,
  };
  return { headers, body: Buffer.from(JSON.stringify(error.toRecord())) };
}

/** The error that a message carries, or undefined when it carries none. */
export function decodeError(headers: BusHeaders, body: Uint8Array): TroughError | undefined {
  const code = headers[HEADER.error];
  if (code === undefined) return undefined;
  const record = readRecord(body);
  if (record === undefined) {
    return new TroughError('BUS_ANSWER_BROKEN', `the answer says ${code} without a readable record`, { code });
  }
  return TroughError.fromRecord(record);
}

/** What the answerer itself put into the headers. */
export function ownHeaders(headers: BusHeaders): BusHeaders {
  const own: Record<string, string> = {};
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined && !PROTOCOL_HEADERS.has(name)) own[name] = value;
  }
  return own;
}

function readRecord(body: Uint8Array): { code: string; message: string; context?: ErrorContext } | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'));
    if (typeof value !== 'object' || value === null) return undefined;
    const { code, message, context } = value as Record<string, unknown>;
    if (typeof code !== 'string' || typeof message !== 'string') return undefined;
    return isContext(context) ? { code, message, context } : { code, message };
  } catch {
    return undefined; // Not JSON: the caller reports it as such.
  }
}

function isContext(value: unknown): value is ErrorContext {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every((each) => ['string', 'number', 'boolean', 'undefined'].includes(typeof each))
  );
}
