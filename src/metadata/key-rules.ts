import { TroughError } from '../errors.ts';

const KEY = /^[A-Za-z0-9_=-]+(\.[A-Za-z0-9_=-]+)*$/;

/** REQUEST_INVALID unless `key` is tokens of `A-Za-z0-9_=-` joined by dots. */
export function checkKey(key: string): void {
  if (!KEY.test(key)) throw new TroughError('REQUEST_INVALID', `'${key.slice(0, 80)}' is not a metadata key`);
}

/** REQUEST_INVALID unless `prefix` is whole tokens: empty, or tokens each with its dot. */
export function checkPrefix(prefix: string): void {
  if (prefix === '' || (prefix.endsWith('.') && KEY.test(prefix.slice(0, -1)))) return;
  throw new TroughError(
    'REQUEST_INVALID',
    `'${prefix.slice(0, 80)}' is not a prefix of metadata keys: it ends with a dot or is empty`,
  );
}
