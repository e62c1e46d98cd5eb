import { TroughError } from '../errors.ts';

const INTEGER = /^-?\d+$/;
const LONG_RUN = /\d{16}/;
/** A whole number has one of these when it is written with a point or an exponent. */
const POINT_OR_EXPONENT = /\d\.0|\d[eE]/;

type Revive = (key: string, value: unknown, context: { source?: string }) => unknown;

/** A whole number that is written with a point or an exponent, so that it is no integer: `5.0`, `1e3`. */
export class WholeReal {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }

  toJSON(): unknown {
    const digits = Object.is(this.value, -0) ? '-0' : String(this.value);
    return rawJson(INTEGER.test(digits) ? `${digits}.0` : digits);
  }
}

/** Like JSON.parse, but an integer beyond 2^53 becomes a bigint with all its digits. REQUEST_INVALID when it is not JSON. */
export function parseExactJson(text: string): unknown {
  // Only so long a run of digits can be such an integer; the reviver makes parsing several times slower.
  return parse(text, LONG_RUN.test(text) ? reviveInteger : undefined);
}

/** The same, and a whole number that is written with a point or an exponent becomes a WholeReal. */
export function parseMarkedJson(text: string): unknown {
  return POINT_OR_EXPONENT.test(text) ? parse(text, reviveNumber) : parseExactJson(text);
}

function parse(text: string, revive: Revive | undefined): unknown {
  try {
    return JSON.parse(text, revive as (key: string, value: unknown) => unknown);
  } catch (error) {
    throw new TroughError('REQUEST_INVALID', `the body is not JSON: ${(error as Error).message}`, {}, error);
  }
}

function reviveInteger(_key: string, value: unknown, { source }: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || source === undefined) return value;
  return INTEGER.test(source) ? BigInt(source) : value;
}

function reviveNumber(key: string, value: unknown, context: { source?: string }): unknown {
  const isMarked = Number.isInteger(value) && context.source !== undefined && !INTEGER.test(context.source);
  return isMarked ? new WholeReal(value as number) : reviveInteger(key, value, context);
}

/** Like JSON.stringify, with a bigint as bare digits. */
export function formatExactJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? rawJson(part.toString()) : part));
}

function rawJson(text: string): unknown {
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(text);
}
