import { type SegmentId } from '../model/segment-id.ts';

const REST = /^\.[0-9a-f-]{36}\.part$/;

/** Whether a temporary file's name is one that was made for this segment. Ids may have dots in them. */
export function isUploadOf(id: SegmentId, name: string): boolean {
  return name.startsWith(id) && REST.test(name.slice(id.length));
}
