import { isUtf8 } from 'node:buffer';
import { TroughError } from '../errors.ts';

/** Strict decoding. REQUEST_INVALID in the words of Python's decoder, which the original's clients know. */
export function decodeUtf8(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  throw new TroughError('REQUEST_INVALID', complaint(bytes));
}

function complaint(bytes: Buffer): string {
  for (let at = 0; at < bytes.length;) {
    const found = inspect(bytes, at);
    if (typeof found === 'number') {
      at += found;
      continue;
    }
    if (found.length === 1) {
      const byte = (bytes[at] ?? 0).toString(16).padStart(2, '0');
      return `'utf-8' codec can't decode byte 0x${byte} in position ${String(at)}: ${found.reason}`;
    }
    return `'utf-8' codec can't decode bytes in position ${String(at)}-${String(at + found.length - 1)}: ${found.reason}`;
  }
  return 'the body is not UTF-8';
}

interface Fault {
  readonly length: number;
  readonly reason: 'invalid start byte' | 'invalid continuation byte' | 'unexpected end of data';
}

/** The length of the sound sequence at `at`, or how many bytes of it are at fault (Unicode's maximal subparts, as CPython counts them). */
function inspect(bytes: Buffer, at: number): number | Fault {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return { length: 1, reason: 'invalid start byte' };
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  for (let offset = 1; offset < length; offset += 1) {
    const byte = bytes[at + offset];
    if (byte === undefined) return { length: offset, reason: 'unexpected end of data' };
    const [least, most] = offset === 1 ? secondByteRange(first) : [0x80, 0xbf];
    if (byte < least || byte > most) return { length: offset, reason: 'invalid continuation byte' };
  }
  return length;
}

/** Keeps out overlong forms, surrogates and code points beyond U+10FFFF. */
function secondByteRange(first: number): readonly [number, number] {
  switch (first) {
    case 0xe0:
      return [0xa0, 0xbf];
    case 0xed:
      return [0x80, 0x9f];
    case 0xf0:
      return [0x90, 0xbf];
    case 0xf4:
      return [0x80, 0x8f];
    default:
      return [0x80, 0xbf];
  }
}
