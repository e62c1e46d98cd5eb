import { once } from 'node:events';
import { pipeline, type Writable } from 'node:stream';
import { constants, createGzip, createZstdCompress } from 'node:zlib';
import { TroughError } from '../errors.ts';
import { type Log } from '../log.ts';
import { type ReadAnswer } from '../messages/reading.ts';
import { weightOf } from './accept.ts';
import { type Exchange } from './exchange.ts';
import { reportFailure } from './failures.ts';

/** What is put around the rows. */
export interface Dressing {
  readonly type: string;
  readonly before: string;
  /** Asked for when the last row is out. `last` is the last byte of the rows, undefined when there are none. */
  readonly after: (last: number | undefined) => string;
  /** Ends an answer that failed half-way in a way that shows it. Absent: the connection is cut off. */
  readonly failed?: (error: TroughError, last: number | undefined) => string;
  /** Large answers may be compressed when the client accepts that. */
  readonly compress: boolean;
}

/** From here on compressing is worth its time. */
const COMPRESS_FROM_BYTES = 8_192;
/** From here on rows leave as they are: to put them together with what stands around them costs more than to hand over three parts. */
export const IN_PARTS_FROM_BYTES = 16_384;

/**
 * Sends rows as they come, held up by a slow client. Throws only while nothing was sent yet; a failure after that never leaves what could be
 * taken for a complete answer. A client that takes nothing is cut off when the answer fails, and after a while in any case.
 */
export async function sendRows(exchange: Exchange, answer: ReadAnswer, dressing: Dressing, log: Log): Promise<void> {
  const { body } = answer;
  if (
    body instanceof Uint8Array &&
    (body.length < COMPRESS_FROM_BYTES || encodingFor(exchange, dressing) === undefined)
  ) {
    sendWhole(exchange, answer, dressing, body);
    return;
  }
  const parts = (body instanceof Uint8Array ? single(body) : body)[Symbol.asyncIterator]();
  const first = await parts.next();
  if (exchange.method === 'HEAD') {
    await parts.return?.();
    openSink(exchange, answer, dressing).end();
    return;
  }
  if (first.done === true) sendWhole(exchange, answer, dressing, new Uint8Array());
  else await stream(exchange, answer, dressing, first.value, parts, log);
}

function sendWhole(exchange: Exchange, answer: ReadAnswer, dressing: Dressing, rows: Uint8Array): void {
  const headers = answerHeaders(answer, dressing);
  const after = dressing.after(rows.at(-1));
  if (rows.length >= IN_PARTS_FROM_BYTES) {
    const { type, before } = dressing;
    exchange.sendInParts({ type, headers, before, rows, after, onLeft: answer.release });
    return;
  }
  const body = Buffer.concat([Buffer.from(dressing.before), rows, Buffer.from(after)]);
  exchange.send({ status: 200, type: dressing.type, body, headers });
}

async function stream(
  exchange: Exchange,
  answer: ReadAnswer,
  dressing: Dressing,
  first: Uint8Array,
  rest: AsyncIterator<Uint8Array>,
  log: Log,
): Promise<void> {
  const { signal } = exchange;
  const { failure } = answer;
  const isOver = failure === undefined ? signal : AbortSignal.any([signal, failure]);
  exchange.sends(Infinity);
  const out = openSink(exchange, answer, dressing);
  let last: number | undefined;
  try {
    out.write(dressing.before);
    for (let part: IteratorResult<Uint8Array> = { value: first }; part.done !== true; part = await rest.next()) {
      if (signal.aborted) throw new TroughError('ENGINE_CANCELLED', 'the client went away');
      last = part.value.at(-1) ?? last;
      if (!out.write(part.value)) await once(out, 'drain', { signal: isOver });
    }
    out.end(dressing.after(last));
  } catch (thrown) {
    if (signal.aborted) return;
    const error = reportFailure(failure?.aborted === true ? failure.reason : thrown, log);
    if (dressing.failed === undefined) exchange.cutOff();
    else {
      out.end(dressing.failed(error, last));
      exchange.endsSoon();
    }
  } finally {
    await rest.return?.();
  }
}

function openSink(exchange: Exchange, answer: ReadAnswer, dressing: Dressing): Writable {
  const { response } = exchange;
  const headers = ['Content-Type', dressing.type, ...answerHeaders(answer, dressing)];
  const encoding = encodingFor(exchange, dressing);
  if (encoding !== undefined) headers.push('Content-Encoding', encoding);
  response.writeHead(200, headers);
  if (encoding === undefined || exchange.method === 'HEAD') return response;
  // Flushed at each write: the first rows must not wait for the last ones.
  const packer =
    encoding === 'zstd'
      ? createZstdCompress({ flush: constants.ZSTD_e_flush })
      : createGzip({ level: 1, flush: constants.Z_SYNC_FLUSH });
  pipeline(packer, response, () => undefined);
  return packer;
}

/** zstd only for those who name it: many that take anything do not know it. */
function encodingFor(exchange: Exchange, dressing: Dressing): 'zstd' | 'gzip' | undefined {
  const accepted = exchange.header('accept-encoding');
  if (!dressing.compress || accepted === undefined) return undefined;
  const zstd = weightOf(accepted, 'zstd') ?? 0;
  const gzip = weightOf(accepted, 'gzip') ?? weightOf(accepted, 'x-gzip') ?? weightOf(accepted, '*') ?? 0;
  const best = Math.max(zstd, gzip);
  if (best === 0 || best < (weightOf(accepted, 'identity') ?? 0)) return undefined;
  return zstd === best ? 'zstd' : 'gzip';
}

function answerHeaders(answer: ReadAnswer, dressing: Dressing): string[] {
  const headers = ['Trough-Node', answer.node, 'Trough-Version', answer.version];
  if (dressing.compress) headers.push('Vary', 'Accept, Accept-Encoding');
  return headers;
}

// eslint-disable-next-line @typescript-eslint/require-await -- a stream of one part
async function* single(body: Uint8Array): AsyncGenerator<Uint8Array> {
  yield body;
}
