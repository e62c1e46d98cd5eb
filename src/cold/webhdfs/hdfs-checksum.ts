import { createHash, type Hash } from 'node:crypto';
import { advanceCrc, advanceTwoCrcs, type CrcName, crcTables, wordsOf } from './crc32.ts';

/** What the checksum of a file depends on beside its bytes: the file's block size, and the cluster's (rather, its writer's) way to check. */
export interface ChecksumShape {
  readonly blockSize: number;
  readonly bytesPerCrc: number;
  readonly crc: CrcName;
}

export const USUAL_SHAPE: ChecksumShape = { blockSize: 128 * 1024 * 1024, bytesPerCrc: 512, crc: 'CRC32C' };

const FIRST_BUFFER_BYTES = 32;
const MD5_BYTES = 16;
const CRCS_BYTES = 64 * 1024;

/**
 * Computes what HDFS answers to GETFILECHECKSUM for a file whose blocks are all full but the last (so not after CONCAT, and not with erasure coding):
 * each `bytesPerCrc` bytes, the last of a block maybe fewer, give a CRC, four bytes, big endian; each block the MD5 of its CRCs; the file the MD5 of
 * those, followed by the zeros that are left in a buffer that starts at 32 bytes and doubles.
 */
export class HdfsChecksum {
  readonly #shape: ChecksumShape;
  readonly #tables: Int32Array;
  readonly #crcs = Buffer.alloc(CRCS_BYTES);
  #crcsLength = 0;
  #crc = -1;
  readonly #pair = new Int32Array(2);
  #block: Hash = createHash('md5');
  #inBlock = 0;
  readonly #blocks: Buffer[] = [];

  constructor(shape: ChecksumShape) {
    this.#shape = shape;
    this.#tables = crcTables(shape.crc);
  }

  update(bytes: Uint8Array): void {
    const { bytesPerCrc, blockSize } = this.#shape;
    const words = bytesPerCrc % 8 === 0 ? wordsOf(bytes) : undefined;
    for (let at = 0; at < bytes.length;) {
      if (words !== undefined && at % 4 === 0) at = this.#takePairs(words, at, bytes.length);
      if (at === bytes.length) return;
      const room = Math.min(bytesPerCrc - (this.#inBlock % bytesPerCrc), blockSize - this.#inBlock);
      const end = Math.min(at + room, bytes.length);
      this.#crc = advanceCrc(this.#tables, this.#crc, bytes, at, end);
      this.#inBlock += end - at;
      at = end;
      if (this.#inBlock % bytesPerCrc === 0) this.#endCrc();
      if (this.#inBlock === blockSize) this.#endBlock();
    }
  }

  /** As many pairs of whole CRCs of this block as there are. Where they end. */
  #takePairs(words: Int32Array, from: number, to: number): number {
    const { bytesPerCrc, blockSize } = this.#shape;
    const many = bytesPerCrc / 4;
    let at = from;
    while (
      this.#inBlock % bytesPerCrc === 0 &&
      at + 2 * bytesPerCrc <= to &&
      this.#inBlock + 2 * bytesPerCrc <= blockSize
    ) {
      advanceTwoCrcs(this.#tables, words, at / 4, many, this.#pair);
      for (const crc of this.#pair) {
        this.#crc = crc;
        this.#endCrc();
      }
      this.#inBlock += 2 * bytesPerCrc;
      at += 2 * bytesPerCrc;
      if (this.#inBlock === blockSize) this.#endBlock();
    }
    return at;
  }

  /** 28 bytes in hex: bytes per CRC, CRCs per block, MD5. Ends the computation. */
  digest(): string {
    const { bytesPerCrc, blockSize } = this.#shape;
    if (this.#inBlock > 0) this.#endBlock();
    const blocks = this.#blocks.length;
    let size = FIRST_BUFFER_BYTES;
    while (size < blocks * MD5_BYTES) size *= 2;
    const padded = Buffer.alloc(size);
    for (const [index, md5] of this.#blocks.entries()) md5.copy(padded, index * MD5_BYTES);
    const head = Buffer.alloc(12);
    // An empty file has no block that would tell; one block alone does not tell how many CRCs would fill it.
    head.writeUInt32BE(blocks === 0 ? 0 : bytesPerCrc, 0);
    head.writeBigUInt64BE(BigInt(blocks > 1 ? blockSize / bytesPerCrc : 0), 4);
    return Buffer.concat([head, createHash('md5').update(padded).digest()]).toString('hex');
  }

  #endCrc(): void {
    this.#crcs.writeInt32BE(~this.#crc, this.#crcsLength);
    this.#crcsLength += 4;
    this.#crc = -1;
    if (this.#crcsLength === this.#crcs.length) this.#hashCrcs();
  }

  #hashCrcs(): void {
    this.#block.update(this.#crcs.subarray(0, this.#crcsLength));
    this.#crcsLength = 0;
  }

  #endBlock(): void {
    if (this.#inBlock % this.#shape.bytesPerCrc !== 0) this.#endCrc();
    this.#hashCrcs();
    this.#blocks.push(this.#block.digest());
    this.#block = createHash('md5');
    this.#inBlock = 0;
  }
}

/** The checksum that HDFS told of a file, and what is to be known to compute it; undefined for a kind that is not computed here. */
export function readChecksum(told: {
  readonly algorithm: string;
  readonly bytes: string;
  readonly length: number;
}): { readonly hex: string; readonly bytesPerCrc: number; readonly crc: CrcName } | undefined {
  const parts = /^MD5-of-\d+MD5-of-(\d+)(CRC32C?)$/.exec(told.algorithm);
  if (parts === null || told.length !== 28) return undefined;
  // WebHDFS prints the whole buffer, which is longer than the checksum.
  const hex = told.bytes.slice(0, 2 * told.length).toLowerCase();
  return { hex, bytesPerCrc: Number(parts[1]) || USUAL_SHAPE.bytesPerCrc, crc: parts[2] as CrcName };
}
