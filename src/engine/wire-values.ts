import { type SqlParams, type SqlValue } from '../model/sql-types.ts';

/** A value as it stands in a frame's JSON: what JSON cannot say is a pair of a letter and a text. */
export type WireValue = null | string | number | readonly ['i' | 'f' | 'b', string];
export type WireParams = readonly WireValue[] | Readonly<Record<string, WireValue>>;

export function packValue(value: SqlValue): WireValue {
  if (value === null || typeof value === 'string') return value;
  if (typeof value === 'bigint') return ['i', value.toString()];
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) return ['f', String(value)];
    return Object.is(value, -0) ? ['f', '-0'] : value;
  }
  return ['b', Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')];
}

export function unpackValue(value: WireValue): SqlValue {
  if (value === null || typeof value !== 'object') return value;
  const [kind, text] = value;
  if (kind === 'i') return BigInt(text);
  return kind === 'f' ? Number(text) : Buffer.from(text, 'base64');
}

export function packParams(params: SqlParams): WireParams {
  if (isList(params)) return params.map(packValue);
  return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, packValue(value)]));
}

export function unpackParams(params: WireParams): SqlParams {
  if (isList(params)) return params.map(unpackValue);
  return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, unpackValue(value)]));
}

function isList<T>(params: readonly T[] | Readonly<Record<string, T>>): params is readonly T[] {
  return Array.isArray(params);
}
