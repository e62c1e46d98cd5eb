// Entry of a worker thread: hashes local files, at the pace that it is given and with the lowest priority.
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { constants, platform, setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { type DigestOrder, type DigestResult } from './digest-thread.ts';

const PIECE_BYTES = 256 * 1024;
const piece = Buffer.allocUnsafe(PIECE_BYTES);

// On Linux this is of the thread that asks, and its reads take their priority from it; elsewhere it would be of the whole process.
if (platform() === 'linux') setPriority(constants.priority.PRIORITY_LOW);

parentPort?.on('message', (order: DigestOrder) => {
  parentPort?.postMessage(digest(order));
});

function digest({ file, bytesPerSecond, cancelled }: DigestOrder): DigestResult {
  const hash = createHash('sha256');
  const startedAt = performance.now();
  let sizeBytes = 0;
  let handle: number | undefined;
  try {
    handle = openSync(file, 'r');
    for (;;) {
      const read = readSync(handle, piece, 0, PIECE_BYTES, null);
      if (read === 0) return { digest: { sizeBytes, sha256: hash.digest('hex') } };
      hash.update(piece.subarray(0, read));
      sizeBytes += read;
      const aheadMs = (sizeBytes / bytesPerSecond) * 1_000 - (performance.now() - startedAt);
      if (aheadMs > 1) Atomics.wait(cancelled, 0, 0, aheadMs);
      if (Atomics.load(cancelled, 0) !== 0) return { failed: 'cancelled' };
    }
  } catch (error) {
    return { failed: (error as NodeJS.ErrnoException).code ?? String(error) };
  } finally {
    if (handle !== undefined) closeSync(handle);
  }
}
