import { TroughError } from '../errors.ts';

const INTEGER = /^-?\d+$/;
const LONG_RUN = /\d{16}/;

/** Like JSON.parse, but an integer beyond 2^53 becomes a bigint with all its digits. REQUEST_INVALID when it is not JSON. */
export function parseExactJson(text: string): unknown {
  try {
    // Only so long a run of digits can be such an integer; the reviver makes parsing several times slower.
    if (!LONG_RUN.test(text)) return JSON.parse(text);
    return JSON.parse(text, reviveInteger as (key: string, value: unknown) => unknown);
  } catch (error) {
    throw new TroughError('REQUEST_INVALID', `the body is not JSON: ${(error as Error).message}`, {}, error);
  }
}

function reviveInteger(_key: string, value: unknown, context: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || context.source === undefined) return value;
  return INTEGER.test(context.source) ? BigInt(context.source) : value;
}

/** Like JSON.stringify, with a bigint as bare digits. */
export function formatExactJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? rawJson(part) : part));
}

function rawJson(value: bigint): unknown {
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(value.toString());
}
