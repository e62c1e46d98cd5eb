import { z } from 'zod';
import { TroughError } from '../errors.ts';
import { formatExactJson, parseExactJson } from '../model/exact-json.ts';
import { type SegmentId } from '../model/segment-id.ts';
import { checkShape, decodeText } from './decode.ts';
import { Params } from './http-api.ts';
import { type ReadAnswer, type ReadRequest } from './reading.ts';
import { parseSqlJson } from './sql-json.ts';
import { fromSqlParams, toSqlParams } from './sql-params.ts';

/** A read as it goes over the bus. Clients send SQL as text, or an object; nodes hand reads on with everything that was settled. */
const QueryMessage = z.object({
  sql: z.string(),
  params: Params.optional(),
  deadlineMs: z.number().positive().optional(),
  consistency: z.enum(['strong', 'any']).default('strong'),
  maxRows: z.int().positive().optional(),
});
const HandedOn = QueryMessage.extend({
  format: z.enum(['legacy', 'rows', 'ndjson', 'csv']),
  bigints: z.enum(['digits', 'string']),
  hops: z.int().positive(),
});

export const HOPS_HEADER = 'Trough-Hops';

type Headers = Readonly<Record<string, string>>;

/** A client's query: `legacy` rows for SQL text, arrays of values for an object. */
export function decodeQuery(segment: SegmentId, body: Uint8Array): ReadRequest {
  const text = decodeText(body);
  const common = { segment, bigints: 'digits', hops: 0 } as const;
  if (!text.trimStart().startsWith('{')) return { ...common, sql: text, format: 'legacy', consistency: 'strong' };
  const { params, ...rest } = checkShape(QueryMessage, parseSqlJson(text), 'a query');
  return { ...common, ...rest, format: 'rows', params: toSqlParams(params) };
}

/** A read that another node handed on. */
export function decodeHandedOn(segment: SegmentId, body: Uint8Array): ReadRequest {
  const { params, ...rest } = checkShape(HandedOn, parseSqlJson(decodeText(body)), 'a query');
  return { segment, ...rest, params: toSqlParams(params) };
}

/** The subject names the segment. */
export function encodeHandedOn({ params, ...rest }: ReadRequest): Uint8Array {
  const message = { ...rest, segment: undefined, params: fromSqlParams(params) };
  return Buffer.from(formatExactJson(message), 'utf8');
}

/** What goes before the rows and after them. Header values are ASCII. */
export function answerHeaders(answer: ReadAnswer): Headers {
  return {
    'Trough-Node': answer.node,
    'Trough-Version': answer.version,
    'Trough-Columns': asciiJson(answer.columns),
  };
}

export function answerTrailers(answer: ReadAnswer): Headers {
  const { rows, truncated } = answer.summary();
  return { 'Trough-Rows': String(rows), 'Trough-Truncated': truncated ? '1' : '0' };
}

interface AnswerOfNode {
  readonly headers: Headers;
  readonly body: AsyncIterable<Uint8Array>;
  readonly failure?: AbortSignal | undefined;
  readonly trailers: () => Headers;
}

/** The answer of another node, from its headers. BUS_ANSWER_BROKEN when one is missing. */
export function decodeAnswer({ headers, body, failure, trailers }: AnswerOfNode): ReadAnswer {
  const columns = parseExactJson(header(headers, 'Trough-Columns'));
  return {
    node: header(headers, 'Trough-Node'),
    version: header(headers, 'Trough-Version'),
    columns: checkShape(z.array(z.string()), columns, 'a list of columns'),
    body,
    failure,
    summary: () => {
      const last = trailers();
      return { rows: Number(header(last, 'Trough-Rows')), truncated: header(last, 'Trough-Truncated') === '1' };
    },
  };
}

function header(headers: Headers, name: string): string {
  const value = headers[name];
  if (value === undefined) throw new TroughError('BUS_ANSWER_BROKEN', `an answer came without its header ${name}`);
  return value;
}

function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
