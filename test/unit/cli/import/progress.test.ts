import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { describeProgress, Progress } from '../../../../src/cli/import/progress.ts';
import { Output } from '../../../../src/cli/output.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

const COUNTS = { bytesRead: 250_000, rows: 12_345, segments: 300, badRows: 0 };

test('the share, the rate and the time left are those of the bytes read', () => {
  expect(describeProgress(COUNTS, 1_000_000, 10_000, true)).toBe(
    '[######------------------]  25 %, 12,345 rows in 300 segments, 1,235 rows/s, 30 s left',
  );
  expect(describeProgress({ ...COUNTS, badRows: 7 }, undefined, 10_000, true)).toBe(
    '250 kB read, 12,345 rows in 300 segments, 1,235 rows/s, 7 bad',
  );
});

test('a pipe gets a plain line every five seconds, a terminal one line that is drawn again and removed at the end', async () => {
  expect(await linesAfter(false, 11_000)).toMatch(/^( 25 %[^\r\n]*\n){2}$/);
  const drawn = await linesAfter(true, 1_000);
  expect(drawn.split('\r')).toHaveLength(6);
  expect(drawn.endsWith('\r\u001b[K')).toBe(true);
});

async function linesAfter(isTTY: boolean, ms: number): Promise<string> {
  const clock = new ManualClock();
  let text = '';
  const stream = Object.assign(
    new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        text += chunk.toString();
        done();
      },
    }),
    { isTTY },
  );
  {
    await using progress = new Progress({
      clock,
      output: new Output(stream),
      totalBytes: 1_000_000,
      counts: () => COUNTS,
    });
    expect(progress).toBeDefined();
    await clock.advance(ms);
  }
  return text;
}
