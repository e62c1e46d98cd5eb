/** The bytes of a database that tell what it is and how long. */
export const LOOK_BYTES = 100;

const VERSIONS = { from: 18, to: 20 };
const APPLICATION_ID = 68;
const WAL_VERSION = 2;
const MAGIC = Buffer.from('SQLite format 3\0', 'latin1');

/** Whether a file that begins like this is a SQLite database of which the end is missing. False where the beginning does not tell. */
export function isCutShort(head: Uint8Array, sizeBytes: number): boolean {
  return hasMagic(head) && toldBytes(head) > sizeBytes;
}

/** Why a file that begins like this is no whole SQLite database, as the end of a sentence; undefined for one that may be. An empty file is a database without tables. */
export function whyNoDatabase(head: Uint8Array, sizeBytes: number): string | undefined {
  if (sizeBytes === 0) return undefined;
  if (!hasMagic(head)) return 'it does not begin as a SQLite database does';
  const told = toldBytes(head);
  return told > sizeBytes
    ? `it has ${String(sizeBytes)} bytes, and the database in it says ${String(told)}`
    : undefined;
}

/** Makes a whole database one that SQLite opens in WAL mode (its file format, 1.3.3: the versions for writing and for reading). */
export function setWalFormat(database: Uint8Array): void {
  database.fill(WAL_VERSION, VERSIONS.from, VERSIONS.to);
}

/** The `application_id` of a whole database, which is `value` from now on. */
export function exchangeApplicationId(database: Buffer, value: number): number {
  const before = database.readInt32BE(APPLICATION_ID);
  database.writeInt32BE(value, APPLICATION_ID);
  return before;
}

/** The `application_id` of a file that begins like this, as it stands there; undefined where the beginning is not that of a database. */
export function applicationIdOf(head: Uint8Array): number | undefined {
  if (!hasMagic(head)) return undefined;
  return Buffer.from(head.buffer, head.byteOffset, head.byteLength).readInt32BE(APPLICATION_ID);
}

/** Whether SQLite opens a file that begins like this in WAL mode. */
export function isInWalFormat(head: Uint8Array): boolean {
  return hasMagic(head) && head.subarray(VERSIONS.from, VERSIONS.to).every((version) => version === WAL_VERSION);
}

function hasMagic(head: Uint8Array): boolean {
  return head.length >= LOOK_BYTES && MAGIC.equals(head.subarray(0, MAGIC.length));
}

/** As its header says; 0 where that is not to be relied on. */
function toldBytes(head: Uint8Array): number {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  // The count of pages is right only when it was written by the same change as the change counter.
  if (bytes.readUInt32BE(24) !== bytes.readUInt32BE(92)) return 0;
  const pageBytes = bytes.readUInt16BE(16) === 1 ? 65_536 : bytes.readUInt16BE(16);
  return pageBytes * bytes.readUInt32BE(28);
}
