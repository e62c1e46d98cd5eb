import { TroughError } from '../errors.ts';
import { parseMarkedJson, WholeReal } from '../model/exact-json.ts';

/**
 * A request as JSON. In its `params`, wherever they stand, a number that is written with a point or an exponent is a number, and one that is not
 * is a bigint: SQLite has REAL and INTEGER, and what is bound as what matters. Elsewhere numbers are numbers. REQUEST_INVALID when it is not JSON.
 */
export function parseSqlJson(text: string): unknown {
  const value = parseMarkedJson(text);
  try {
    return settle(value, false);
  } catch (error) {
    // The only way to fail: more levels than the stack has room for.
    throw new TroughError('REQUEST_INVALID', 'the body is nested too deeply', {}, error);
  }
}

function settle(value: unknown, isParam: boolean): unknown {
  if (value instanceof WholeReal) return value.value;
  if (typeof value === 'number') return isParam && Number.isSafeInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map((item) => settle(item, isParam));
  if (typeof value !== 'object' || value === null) return value;
  const settled = Object.entries(value).map(([key, item]) => [key, settle(item, isParam || key === 'params')] as const);
  return Object.fromEntries(settled);
}
