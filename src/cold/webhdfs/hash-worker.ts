// Entry of a worker thread: hashes a local file that another thread reads or writes, as far as it is told that its bytes are there.
import { openSync, readSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { ContentHash } from './content-hash.ts';
import { type ChecksumShape } from './hdfs-checksum.ts';

const PIECE_BYTES = 1024 * 1024;
const { path, shape } = workerData as { readonly path: string; readonly shape: ChecksumShape | undefined };
const file = openSync(path, 'r');
const piece = Buffer.allocUnsafe(PIECE_BYTES);
const hash = new ContentHash(shape);
let at = 0;

parentPort?.on('message', ({ upTo, isEnd }: { readonly upTo: number; readonly isEnd: boolean }) => {
  while (at < upTo) {
    const read = readSync(file, piece, 0, Math.min(PIECE_BYTES, upTo - at), at);
    if (read === 0) throw new Error(`${path} has only ${String(at)} of ${String(upTo)} bytes`);
    hash.update(piece.subarray(0, read));
    at += read;
  }
  if (isEnd) parentPort?.postMessage(hash.digest());
});
