import { crc32 } from 'node:zlib';
import { TroughError } from '../errors.ts';

/** How far somebody has read a stream of the journal: everything up to that sequence. */
export interface ChangePosition {
  readonly sequence: number;
  /** Of which stream the sequence is, as `markOf` says; undefined: whatever is there now. */
  readonly mark: string | undefined;
}

const ONE = /^(\d{1,16})(?:-([0-9a-f]{8}))?$/;
const STREAM = /^[1-9]\d{0,3}$/;

/** What tells a stream from one that was made in its place when it was lost: eight hex digits of its incarnation. */
export function markOf(incarnation: string): string {
  return crc32(incarnation).toString(16).padStart(8, '0');
}

/** `1234`, or with the mark of its stream `1234-1f2e3d4c`. */
export function formatPosition({ sequence, mark }: ChangePosition): string {
  return mark === undefined ? String(sequence) : `${String(sequence)}-${mark}`;
}

/** The inverse. REQUEST_INVALID. */
export function parsePosition(text: string): ChangePosition {
  const [, digits, mark] = ONE.exec(text) ?? [];
  const sequence = Number(digits);
  if (!Number.isSafeInteger(sequence)) throw invalid(text, "such as 1234 or 1234-1f2e3d4c, as 'next' of an answer");
  return { sequence, mark };
}

/** Of several streams: `1:1234-1f2e3d4c,2:99-5a6b7c8d`. */
export function formatPositions(positions: ReadonlyMap<string, ChangePosition>): string {
  return Array.from(positions, ([stream, position]) => `${stream}:${formatPosition(position)}`).join(',');
}

/** The inverse; `0` is the beginning of every stream: an empty map. REQUEST_INVALID. */
export function parsePositions(text: string): Map<string, ChangePosition> {
  const positions = new Map<string, ChangePosition>();
  if (text === '0') return positions;
  for (const part of text.split(',')) {
    const [stream = '', position = ''] = part.split(':');
    if (!STREAM.test(stream) || !ONE.test(position) || part.split(':').length !== 2)
      throw invalid(text, "0 for the beginning, or 'next' of an answer, such as 1:1234-1f2e3d4c,2:99-5a6b7c8d");
    positions.set(stream, parsePosition(position));
  }
  return positions;
}

function invalid(text: string, wanted: string): TroughError {
  return new TroughError(
    'REQUEST_INVALID',
    `'${text.slice(0, 100)}' is no position in the changes: it must be ${wanted}`,
  );
}
