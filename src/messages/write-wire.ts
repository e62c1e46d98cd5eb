import { z } from 'zod';
import { formatExactJson, parseExactJson } from '../model/exact-json.ts';
import { type SegmentId } from '../model/segment-id.ts';
import { type WriteRequest } from '../model/sql-types.ts';
import { checkShape, decodeText } from './decode.ts';
import { WriteBody } from './http-api.ts';
import { parseSqlJson } from './sql-json.ts';
import { fromSqlParams, toSqlParams } from './sql-params.ts';
import { type WriteAnswer, type WriteCall } from './writing.ts';

const WriteReplyMessage = z.object({
  node: z.string(),
  sequence: z.number(),
  results: z.array(z.object({ changes: z.number(), lastInsertRowid: z.union([z.number(), z.bigint()]) })),
});

/** A script as text, or an object as `/v1` takes it. REQUEST_INVALID says what is wrong. `handedOn`: it came from another node and goes no further. */
export function decodeWrite(segment: SegmentId, body: Uint8Array, handedOn: boolean): WriteCall {
  const text = decodeText(body);
  if (!text.trimStart().startsWith('{')) return { segment, request: { kind: 'script', sql: text }, onlyHere: handedOn };
  const write = checkShape(WriteBody, parseSqlJson(text), 'a write');
  const { deadlineMs, requestId } = write;
  return { segment, request: toWriteRequest(write), deadlineMs, requestId, onlyHere: handedOn };
}

export function toWriteRequest(body: WriteBody): WriteRequest {
  if ('script' in body) return { kind: 'script', sql: body.script };
  return {
    kind: 'statements',
    statements: body.statements.map(({ sql, params }) => ({ sql, params: toSqlParams(params) })),
  };
}

export function encodeWrite({ request, deadlineMs, requestId }: WriteCall): Uint8Array {
  const body =
    request.kind === 'script'
      ? { script: request.sql }
      : {
          statements: request.statements.map(({ sql, params }) => ({
            sql,
            params: fromSqlParams(params),
          })),
        };
  return Buffer.from(formatExactJson({ ...body, deadlineMs, requestId }), 'utf8');
}

export function encodeWriteAnswer(answer: WriteAnswer): Uint8Array {
  return Buffer.from(formatExactJson(answer), 'utf8');
}

export function decodeWriteAnswer(body: Uint8Array): WriteAnswer {
  const { node, sequence, results } = checkShape(
    WriteReplyMessage,
    parseExactJson(decodeText(body)),
    "a write's answer",
  );
  return {
    node,
    sequence,
    results: results.map(({ changes, lastInsertRowid }) => ({ changes, lastInsertRowid: BigInt(lastInsertRowid) })),
  };
}
