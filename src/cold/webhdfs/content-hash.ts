import { createHash } from 'node:crypto';
import { type ChecksumShape, HdfsChecksum } from './hdfs-checksum.ts';

export interface ContentDigest {
  readonly sizeBytes: number;
  /** By which trough knows the content. */
  readonly sha256: string;
  /** Which HDFS must have of it; empty where nobody asked for it. */
  readonly hdfs: string;
}

/** Of one file's bytes as they pass. */
export class ContentHash {
  readonly #sha256 = createHash('sha256');
  readonly #hdfs: HdfsChecksum | undefined;
  #sizeBytes = 0;

  /** Without a shape the checksum of HDFS is left out: it is more than half of the work. */
  constructor(shape: ChecksumShape | undefined) {
    this.#hdfs = shape && new HdfsChecksum(shape);
  }

  update(piece: Uint8Array): void {
    this.#sha256.update(piece);
    this.#hdfs?.update(piece);
    this.#sizeBytes += piece.length;
  }

  /** Ends the computation. */
  digest(): ContentDigest {
    return { sizeBytes: this.#sizeBytes, sha256: this.#sha256.digest('hex'), hdfs: this.#hdfs?.digest() ?? '' };
  }
}
