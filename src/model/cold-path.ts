import { isSegmentId, type SegmentId } from './segment-id.ts';

const SUFFIX = '.sqlite';
const PREFIX_LEAVES_OUT = 3;

/** Where a segment lies under the root of cold storage: `<prefix>/<id>.sqlite`. */
export function coldPath(id: SegmentId): string {
  return `${coldPrefix(id)}/${id}${SUFFIX}`;
}

/** The id without its last three characters (code points, as the original counts them); `_` when nothing is left. */
export function coldPrefix(id: SegmentId): string {
  const characters = Array.from(id);
  return characters.length <= PREFIX_LEAVES_OUT ? '_' : characters.slice(0, -PREFIX_LEAVES_OUT).join('');
}

/** What a file name in cold storage stands for: a segment, a database whose name is no segment id, or nothing of ours (other endings, hidden, half copied). */
export type ColdName =
  { readonly kind: 'segment'; readonly id: SegmentId } | { readonly kind: 'misnamed' } | { readonly kind: 'other' };

export function readColdName(fileName: string): ColdName {
  if (fileName.startsWith('.') || !fileName.endsWith(SUFFIX)) return { kind: 'other' };
  const id = fileName.slice(0, -SUFFIX.length);
  return isSegmentId(id) ? { kind: 'segment', id } : { kind: 'misnamed' };
}
