/** The two checksums that HDFS knows, by their reversed polynomials. CRC32C is its default. */
const POLYNOMIALS = { CRC32: 0xedb88320, CRC32C: 0x82f63b78 } as const;

export type CrcName = keyof typeof POLYNOMIALS;

const made = new Map<CrcName, Int32Array>();

/** Eight tables of 256 entries: table k takes a byte past k further zero bytes ("slicing by 8"). */
export function crcTables(name: CrcName): Int32Array {
  const known = made.get(name);
  if (known !== undefined) return known;
  const tables = new Int32Array(8 * 256);
  for (let n = 0; n < 256; n += 1) {
    let crc = n;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 1 ? (crc >>> 1) ^ POLYNOMIALS[name] : crc >>> 1;
    tables[n] = crc;
  }
  for (let n = 256; n < tables.length; n += 1) {
    const shorter = tables[n - 256] ?? 0;
    tables[n] = (shorter >>> 8) ^ (tables[shorter & 0xff] ?? 0);
  }
  made.set(name, tables);
  return tables;
}

/* eslint-disable @typescript-eslint/no-non-null-assertion -- one check for each of the nine look-ups per eight bytes would be most of the work */
/** `state` is the complement of a checksum so far: start with -1, and complement the last one. */
export function advanceCrc(tables: Int32Array, state: number, bytes: Uint8Array, from: number, to: number): number {
  let crc = state;
  let i = from;
  for (; i + 8 <= to; i += 8) {
    const low = crc ^ (bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24));
    crc =
      tables[1792 + (low & 0xff)]! ^
      tables[1536 + ((low >>> 8) & 0xff)]! ^
      tables[1280 + ((low >>> 16) & 0xff)]! ^
      tables[1024 + (low >>> 24)]! ^
      tables[768 + bytes[i + 4]!]! ^
      tables[512 + bytes[i + 5]!]! ^
      tables[256 + bytes[i + 6]!]! ^
      tables[bytes[i + 7]!]!;
  }
  for (; i < to; i += 1) crc = (crc >>> 8) ^ tables[(crc ^ bytes[i]!) & 0xff]!;
  return crc;
}

const IS_LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

/** The bytes as words, low byte first; undefined where they do not lie so in memory. */
export function wordsOf(bytes: Uint8Array): Int32Array | undefined {
  if (!IS_LITTLE_ENDIAN || bytes.byteOffset % 4 !== 0) return undefined;
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
}

/**
 * Leaves in `states` those of two checksums, each of `many` words (an even number): the first from `from`, the second behind it. Most of the time of one is waiting for its own last
 * step: two at a time take hardly longer.
 */
export function advanceTwoCrcs(
  tables: Int32Array,
  words: Int32Array,
  from: number,
  many: number,
  states: Int32Array,
): void {
  let a = -1;
  let b = -1;
  for (let i = from; i < from + many; i += 2) {
    const lowA = a ^ words[i]!;
    const highA = words[i + 1]!;
    const lowB = b ^ words[many + i]!;
    const highB = words[many + i + 1]!;
    a =
      tables[1792 + (lowA & 0xff)]! ^
      tables[1536 + ((lowA >>> 8) & 0xff)]! ^
      tables[1280 + ((lowA >>> 16) & 0xff)]! ^
      tables[1024 + (lowA >>> 24)]! ^
      tables[768 + (highA & 0xff)]! ^
      tables[512 + ((highA >>> 8) & 0xff)]! ^
      tables[256 + ((highA >>> 16) & 0xff)]! ^
      tables[highA >>> 24]!;
    b =
      tables[1792 + (lowB & 0xff)]! ^
      tables[1536 + ((lowB >>> 8) & 0xff)]! ^
      tables[1280 + ((lowB >>> 16) & 0xff)]! ^
      tables[1024 + (lowB >>> 24)]! ^
      tables[768 + (highB & 0xff)]! ^
      tables[512 + ((highB >>> 8) & 0xff)]! ^
      tables[256 + ((highB >>> 16) & 0xff)]! ^
      tables[highB >>> 24]!;
  }
  states[0] = a;
  states[1] = b;
}
