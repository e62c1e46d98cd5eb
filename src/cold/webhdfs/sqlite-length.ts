/** The bytes of a database that tell its length. */
export const LOOK_BYTES = 100;

const MAGIC = Buffer.from('SQLite format 3\0', 'latin1');

/** Whether a file that begins like this is a SQLite database of which the end is missing. False where the beginning does not tell. */
export function isCutShort(head: Uint8Array, sizeBytes: number): boolean {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  if (bytes.length < LOOK_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) return false;
  // The count of pages is right only when it was written by the same change as the change counter.
  if (bytes.readUInt32BE(24) !== bytes.readUInt32BE(92)) return false;
  const pageBytes = bytes.readUInt16BE(16) === 1 ? 65_536 : bytes.readUInt16BE(16);
  return pageBytes * bytes.readUInt32BE(28) > sizeBytes;
}
