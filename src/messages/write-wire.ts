import { z } from 'zod';
import { TroughError } from '../errors.ts';
import { formatExactJson, parseExactJson } from '../model/exact-json.ts';
import { type SegmentId } from '../model/segment-id.ts';
import { type WriteRequest } from '../model/sql-types.ts';
import { checkShape, decodeText } from './decode.ts';
import { Params } from './http-api.ts';
import { fromSqlParams, toSqlParams } from './sql-params.ts';
import { type WriteAnswer, type WriteCall } from './writing.ts';

/** A write as it goes over the bus: a script as text, or an object with statements or a script. */
const WriteMessage = z.object({
  script: z.string().optional(),
  statements: z
    .array(z.object({ sql: z.string(), params: Params.optional() }))
    .min(1)
    .optional(),
  deadlineMs: z.number().positive().optional(),
});
const WriteReplyMessage = z.object({
  node: z.string(),
  sequence: z.number(),
  results: z.array(z.object({ changes: z.number(), lastInsertRowid: z.union([z.number(), z.bigint()]) })),
});

/** REQUEST_INVALID says what is wrong. `handedOn`: it came from another node and goes no further. */
export function decodeWrite(segment: SegmentId, body: Uint8Array, handedOn: boolean): WriteCall {
  const text = decodeText(body);
  if (!text.trimStart().startsWith('{')) return { segment, request: { kind: 'script', sql: text }, onlyHere: handedOn };
  const message = checkShape(WriteMessage, parseExactJson(text), 'a write');
  return { segment, request: requestOf(message), deadlineMs: message.deadlineMs, onlyHere: handedOn };
}

function requestOf({ script, statements }: z.infer<typeof WriteMessage>): WriteRequest {
  if (statements === undefined && script !== undefined) return { kind: 'script', sql: script };
  if (statements === undefined || script !== undefined) {
    throw new TroughError('REQUEST_INVALID', "a write has either 'statements' or a 'script'");
  }
  return {
    kind: 'statements',
    statements: statements.map(({ sql, params }) => ({
      sql,
      params: params === undefined ? undefined : toSqlParams(params),
    })),
  };
}

export function encodeWrite({ request, deadlineMs }: WriteCall): Uint8Array {
  const body =
    request.kind === 'script'
      ? { script: request.sql }
      : {
          statements: request.statements.map(({ sql, params }) => ({
            sql,
            params: params === undefined ? undefined : fromSqlParams(params),
          })),
        };
  return Buffer.from(formatExactJson({ ...body, deadlineMs }), 'utf8');
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
