/** One transfer in a process of its own, so that its memory is its own: started by `bench/cold.ts`, answers one message and ends. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WebHdfs } from '../../src/cold/webhdfs/webhdfs.ts';
import { silentLog } from '../../src/log.ts';
import { parseColdPlace, type WebHdfsPlace } from '../../src/model/cold-place.ts';
import { parseSegmentId } from '../../src/model/segment-id.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { PlainWebHdfs } from '../support/plain-webhdfs.ts';
import { type Transfer, type TransferResult } from '../cold/transfer.ts';

/** How one of the two moves a file there, or here. */
interface Mover extends Disposable {
  up(id: string, file: string, sha256: string): Promise<void>;
  down(id: string, file: string, sha256: string): Promise<void>;
}

const SAMPLE_MS = 20;
const WARM_UP = 20;

process.once('message', (transfer: Transfer) => {
  measure(transfer).then(
    (result) => {
      process.send?.(result);
      process.disconnect();
    },
    (error: unknown) => {
      throw error;
    },
  );
});

async function measure(transfer: Transfer): Promise<TransferResult> {
  using mover = transfer.system === 'trough' ? troughMover(transfer) : plainMover(transfer);
  // Connections, compiled code and the thread that hashes are there before the clock starts.
  const small = createHash('sha256')
    .update(await readFile(transfer.smallFile))
    .digest('hex');
  for (let number = 0; number < WARM_UP; number += 1) {
    await mover.up(`warm-${transfer.run}-${String(number)}`, transfer.smallFile, small);
    await mover.down(
      `warm-${transfer.run}-${String(number)}`,
      join(transfer.scratch, `warm-${transfer.run}-${String(number)}`),
      small,
    );
  }
  const base = process.memoryUsage.rss();
  let peak = base;
  const sampling = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
  }, SAMPLE_MS);
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  const ahead = [...transfer.ids];
  const worker = async (): Promise<void> => {
    for (let id = ahead.pop(); id !== undefined; id = ahead.pop()) {
      if (transfer.way === 'up') await mover.up(id, transfer.file, transfer.sha256);
      else await mover.down(id, join(transfer.scratch, `${transfer.run}-${id}`), transfer.sha256);
    }
  };
  await Promise.all(Array.from({ length: transfer.inFlight }, worker));
  const seconds = (performance.now() - startedAt) / 1_000;
  clearInterval(sampling);
  const { user, system } = process.cpuUsage(cpuBefore);
  return {
    seconds,
    grownBytes: Math.max(peak, process.memoryUsage.rss()) - base,
    cpuSeconds: (user + system) / 1e6,
  };
}

function troughMover({ authority, root }: Transfer): Mover {
  const place = parseColdPlace(`webhdfs://root@${authority}${root}`) as WebHdfsPlace;
  const hdfs = new WebHdfs({ place, clock: systemClock, random: Math.random }, silentLog);
  return {
    up: async (id, file, sha256) => {
      await hdfs.publish(parseSegmentId(id), file, sha256);
    },
    down: async (id, file, sha256) => {
      await hdfs.fetch(parseSegmentId(id), file, { sha256 });
    },
    [Symbol.dispose]: () => {
      hdfs[Symbol.dispose]();
    },
  };
}

function plainMover({ authority, root }: Transfer): Mover {
  const plain = new PlainWebHdfs(`http://${authority}/webhdfs/v1`);
  const pathOf = (id: string): string => `${root}/${id.slice(0, -3)}/${id}.sqlite`;
  return {
    up: (id, file) => plain.put(pathOf(id), file),
    down: (id, file) => plain.get(pathOf(id), file),
    [Symbol.dispose]: () => {
      plain[Symbol.dispose]();
    },
  };
}
