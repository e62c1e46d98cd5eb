import { createHash } from 'node:crypto';
import { type ChecksumShape, HdfsChecksum } from './hdfs-checksum.ts';

/** Of one file's bytes as they pass: the SHA-256 that trough knows it by, and the checksum that HDFS must have of it. */
export class ContentHash {
  readonly #sha256 = createHash('sha256');
  readonly #hdfs: HdfsChecksum;
  #sizeBytes = 0;

  constructor(shape: ChecksumShape) {
    this.#hdfs = new HdfsChecksum(shape);
  }

  update(piece: Uint8Array): void {
    this.#sha256.update(piece);
    this.#hdfs.update(piece);
    this.#sizeBytes += piece.length;
  }

  /** Ends the computation. */
  digest(): { readonly sizeBytes: number; readonly sha256: string; readonly hdfs: string } {
    return { sizeBytes: this.#sizeBytes, sha256: this.#sha256.digest('hex'), hdfs: this.#hdfs.digest() };
  }
}
