import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { HdfsChecksum, readChecksum, USUAL_SHAPE } from '../../../../src/cold/webhdfs/hdfs-checksum.ts';

const MiB = 1024 * 1024;

function checksum(bytes: Uint8Array, shape: Partial<typeof USUAL_SHAPE> = {}, pieceBytes = 70_001): string {
  const hash = new HdfsChecksum({ ...USUAL_SHAPE, ...shape });
  for (let at = 0; at < bytes.length; at += pieceBytes) hash.update(bytes.subarray(at, at + pieceBytes));
  return hash.digest();
}

function noise(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0, x = 1; i < length; i += 1) {
    x = (Math.imul(x, 1_103_515_245) + 12_345) >>> 0;
    bytes[i] = x >>> 24;
  }
  return bytes;
}

/** The definition, word for word, with the CRC of zlib. */
function byDefinition(bytes: Buffer, blockSize: number): string {
  const md5s: Buffer[] = [];
  for (let block = 0; block < bytes.length; block += blockSize) {
    const crcs: number[] = [];
    const content = bytes.subarray(block, block + blockSize);
    for (let at = 0; at < content.length; at += 512) {
      const crc = crc32(content.subarray(at, at + 512));
      crcs.push(crc >>> 24, (crc >>> 16) & 255, (crc >>> 8) & 255, crc & 255);
    }
    md5s.push(createHash('md5').update(Buffer.from(crcs)).digest());
  }
  let padded = 32;
  while (padded < md5s.length * 16) padded *= 2;
  return createHash('md5').update(Buffer.concat(md5s, padded)).digest('hex');
}

describe('the checksum of HDFS', () => {
  test('of an empty file is the one that HDFS tells', () => {
    expect(checksum(Buffer.alloc(0))).toBe('00000000000000000000000070bc8f4b72a86921468bf8e8441dce51');
  });

  test.each([1, 511, 512, 513, MiB - 1, MiB, MiB + 1, 2 * MiB, 2 * MiB + 700, 5 * MiB + 1])(
    'of %d bytes in blocks of 1 MiB is what its definition says',
    (length) => {
      const told = checksum(noise(length), { blockSize: MiB, crc: 'CRC32' });
      expect(told.slice(24)).toBe(byDefinition(noise(length), MiB));
      expect(told.slice(0, 8)).toBe('00000200');
      expect(told.slice(8, 24)).toBe(length > MiB ? '0000000000000800' : '0000000000000000');
    },
  );

  test('does not depend on the pieces in which the bytes come', () => {
    const bytes = noise(MiB + 77);
    const whole = checksum(bytes, { blockSize: 512 * 1024 });
    for (const pieceBytes of [1000, 4096, 65_537, 2 * MiB]) {
      expect(checksum(bytes, { blockSize: 512 * 1024 }, pieceBytes)).toBe(whole);
    }
  });

  test('sees one bit', () => {
    const bytes = noise(3000);
    const before = checksum(bytes);
    bytes[1500] = (bytes[1500] ?? 0) ^ 1;
    expect(checksum(bytes)).not.toBe(before);
  });
});

describe('what HDFS tells of a checksum', () => {
  const bytes = `00000200${'0'.repeat(15)}1${'ab'.repeat(16)}00000000`;

  test('is cut to its length, and names the way of checking', () => {
    const told = readChecksum({ algorithm: 'MD5-of-1MD5-of-512CRC32C', bytes, length: 28 });
    expect(told).toEqual({ hex: bytes.slice(0, 56), bytesPerCrc: 512, crc: 'CRC32C' });
    expect(readChecksum({ algorithm: 'MD5-of-0MD5-of-64CRC32', bytes, length: 28 })).toMatchObject({
      bytesPerCrc: 64,
      crc: 'CRC32',
    });
  });

  test('is not taken for something that it is not', () => {
    expect(readChecksum({ algorithm: 'COMPOSITE-CRC32C', bytes, length: 4 })).toBeUndefined();
  });
});
