import { TroughError } from '../errors.ts';

declare const brand: unique symbol;
/** The checked name of a segment. Made by `parseSegmentId` alone. */
export type SegmentId = string & { readonly [brand]: 'SegmentId' };

/** The cluster's catalogue, read like a segment; no segment of a user has this name. */
export const CATALOGUE_SEGMENT = '_catalogue' as SegmentId;

const MOST_CHARACTERS = 128;
/** Keeps `<id>.sqlite-journal` and our temporary names under the 255 bytes of a file name. */
const MOST_BYTES = 180;
const SHAPE = /^[\p{L}\p{N}_][\p{L}\p{M}\p{N}_.~@+=, -]*$/u;

/** Nearly every one: what needs no further look. */
const PLAIN = /^[A-Za-z0-9_](?:[A-Za-z0-9_.~@+=, -]{0,126}[A-Za-z0-9_.~@+=,-])?$/;

const RULE =
  'a segment id has 1 to 128 letters, digits, spaces or characters of ._~@+=,- ' +
  'and starts with a letter, a digit or an underscore';

/** Refuses anything that could be a path, a subject or an option; SEGMENT_ID_INVALID says the rule. */
export function parseSegmentId(text: unknown): SegmentId {
  if (typeof text !== 'string' || !isSegmentId(text)) {
    const shown = typeof text === 'string' ? `'${text.slice(0, 40)}'` : typeof text;
    throw new TroughError('SEGMENT_ID_INVALID', `${shown} is not a segment id: ${RULE}`);
  }
  return text;
}

export function isSegmentId(text: string): text is SegmentId {
  if (PLAIN.test(text)) return true;
  return (
    SHAPE.test(text) &&
    !text.endsWith(' ') &&
    text.isWellFormed() &&
    Array.from(text).length <= MOST_CHARACTERS &&
    Buffer.byteLength(text) <= MOST_BYTES
  );
}
