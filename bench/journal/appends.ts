import { type Journal, type JournalKey } from '../../src/journal/journal.ts';

export interface AppendRate {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

let keys = 0;

/** New ones, each in the stream that the journal picks. */
export function newKeys(journal: Journal, count: number): JournalKey[] {
  return Array.from({ length: count }, () => {
    keys += 1;
    const name = `bench-${String(keys)}`;
    return { stream: journal.pickStream(name), name };
  });
}

/** A closed loop: one client to a key, each appends its next record when the last one is acknowledged. */
export async function appendRate(
  journal: Journal,
  of: readonly JournalKey[],
  bytes: number,
  seconds: number,
): Promise<AppendRate> {
  const body = Buffer.alloc(bytes, 'x');
  const times: number[] = [];
  const begin = performance.now();
  const end = begin + seconds * 1_000;
  await Promise.all(
    of.map(async (key) => {
      let last = 0;
      for (let number = 0; performance.now() < end; number += 1) {
        const from = performance.now();
        last = await journal.append(key, { id: `1.${String(number)}`, body }, last);
        times.push(performance.now() - from);
      }
    }),
  );
  const elapsedMs = performance.now() - begin;
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.floor(times.length * share)] ?? NaN;
  return { perSecond: (times.length / elapsedMs) * 1_000, p50Ms: at(0.5), p99Ms: at(0.99) };
}

/** Records read per second: `count` of `bytes`, of one key, spread among as many of others. */
export async function replayRate(journal: Journal, count: number, bytes: number): Promise<number> {
  const [key, ...others] = newKeys(journal, 40);
  if (key === undefined) throw new Error('no key');
  const body = Buffer.alloc(bytes, 'x');
  const inOneStream = [key, ...others].map((one) => ({ ...one, stream: key.stream }));
  // Batches are the quickest way in: many keys at a time; then the one key is the sum of what it has.
  await Promise.all(inOneStream.slice(1).map((other) => chain(journal, other, count / others.length, body)));
  await chain(journal, key, count, body);
  const begin = performance.now();
  let read = 0;
  for await (const record of journal.read(key, { from: 0 })) read += record.body.length > 0 ? 1 : 0;
  if (read !== count) throw new Error(`${String(read)} of ${String(count)} records were read`);
  return (read / (performance.now() - begin)) * 1_000;
}

async function chain(journal: Journal, key: JournalKey, count: number, body: Buffer): Promise<void> {
  let last = 0;
  for (let number = 0; number < count; number += 1) {
    last = await journal.append(key, { id: `1.${String(number)}`, body }, last);
  }
}
