import { WholeReal } from '../model/exact-json.ts';
import { type SqlParams, type SqlValue } from '../model/sql-types.ts';
import { type Params, type ParamValue } from './http-api.ts';

/** Parameters as `parseSqlJson` gives them, and as the engine takes them: `{"base64"}` is a BLOB, a boolean the integer 0 or 1. */
export function toSqlParams(params: Params | undefined): SqlParams | undefined {
  if (params === undefined) return undefined;
  if (Array.isArray(params)) return params.map(toSqlValue);
  return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, toSqlValue(value)]));
}

function toSqlValue(value: ParamValue): SqlValue {
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (typeof value === 'object' && value !== null) return Buffer.from(value.base64, 'base64');
  return value;
}

/** For `formatExactJson`: a whole REAL is written with a point. */
export function fromSqlParams(params: SqlParams | undefined): unknown {
  if (params === undefined) return undefined;
  if (isPositional(params)) return params.map(fromSqlValue);
  return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, fromSqlValue(value)]));
}

function isPositional(params: SqlParams): params is readonly SqlValue[] {
  return Array.isArray(params);
}

function fromSqlValue(value: SqlValue): unknown {
  if (value instanceof Uint8Array) return { base64: Buffer.from(value).toString('base64') };
  return Number.isInteger(value) ? new WholeReal(value as number) : value;
}
