import { type Params, type ParamValue } from '../messages/http-api.ts';
import { type SqlParams, type SqlValue } from '../model/sql-types.ts';

/** Parameters as JSON has them → as the engine binds them. */
export function toSqlParams(params: Params | undefined): SqlParams | undefined {
  if (params === undefined) return undefined;
  if (Array.isArray(params)) return params.map(toSqlValue);
  return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, toSqlValue(value)]));
}

function toSqlValue(value: ParamValue): SqlValue {
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value === 'object' && value !== null) return Buffer.from(value.base64, 'base64');
  return value;
}
