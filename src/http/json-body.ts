import { type z } from 'zod';
import { TroughError } from '../errors.ts';
import { parseSqlJson } from '../messages/sql-json.ts';
import { type Exchange } from './exchange.ts';
import { allParameters } from './query-string.ts';
import { decodeUtf8 } from './utf8.ts';

/** The JSON body, checked. REQUEST_INVALID says where it is wrong. An empty body counts as `whenEmpty`, if given. */
export async function jsonBody<T>(exchange: Exchange, schema: z.ZodType<T>, whenEmpty?: object): Promise<T> {
  const text = decodeUtf8(await exchange.body());
  if (whenEmpty !== undefined && text.trim() === '') return check(schema, whenEmpty, 'the body is');
  return check(schema, parseSqlJson(text), 'the body is');
}

/** The URL parameters, checked. REQUEST_INVALID. */
export function parameters<T>(exchange: Exchange, schema: z.ZodType<T>): T {
  return check(schema, allParameters(exchange.query), 'the URL parameters are');
}

function check<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { path, message } = deepest(result.error.issues);
  const at = path.map(String).join('.');
  throw new TroughError('REQUEST_INVALID', `${what} wrong${at === '' ? '' : ` at '${at}'`}: ${message}`, { at });
}

interface Complaint {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** Of the members of a union, the one that went deepest is what was meant. */
function deepest(issues: readonly z.core.$ZodIssue[]): Complaint {
  const found = issues.map((issue): Complaint => {
    if (issue.code !== 'invalid_union' || issue.errors.length === 0) return issue;
    const inner = issue.errors.map(deepest).reduce((best, one) => (one.path.length > best.path.length ? one : best));
    return inner.path.length === 0 ? issue : { path: [...issue.path, ...inner.path], message: inner.message };
  });
  return found.reduce((best, one) => (one.path.length > best.path.length ? one : best));
}
