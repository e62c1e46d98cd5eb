import { crc32 } from 'node:zlib';

/** Streams are called `1`, `2`, …: those of a journal with `count` of them. */
export function streamNames(count: number): string[] {
  return Array.from({ length: count }, (_, index) => String(index + 1));
}

/** Spreads names evenly; the same name goes to the same stream as long as there are as many. */
export function chooseStream(name: string, count: number): string {
  return String((crc32(Buffer.from(name, 'utf8')) % count) + 1);
}
