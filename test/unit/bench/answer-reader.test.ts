import { describe, expect, it } from 'vitest';
import { AnswerReader } from '../../../bench/support/answer-reader.ts';

const SIZED = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello';
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3\r\n100\r\n0\r\n\r\n';
const REFUSED = 'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy';
const EMPTY = 'HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n';

/** After which of the parts an answer was complete. */
function ends(reader: AnswerReader, parts: readonly string[]): readonly number[] {
  return parts.flatMap((part, index) => (reader.take(Buffer.from(part)) ? [index] : []));
}

describe('the end of an HTTP answer', () => {
  it.each([
    ['of known length', SIZED],
    ['in chunks', CHUNKED],
    ['without a body', EMPTY],
  ])('is found for one %s, wherever it is cut', (_, answer) => {
    for (let cut = 1; cut < answer.length; cut += 1) {
      expect(ends(new AnswerReader(), [answer.slice(0, cut), answer.slice(cut)])).toEqual([1]);
    }
    expect(ends(new AnswerReader(), Array.from(answer))).toEqual([answer.length - 1]);
  });

  it('is found for each of several on one connection', () => {
    const reader = new AnswerReader();
    expect(ends(reader, [CHUNKED, SIZED, REFUSED, CHUNKED])).toEqual([0, 1, 2, 3]);
    expect(reader.ok).toBe(true);
  });

  it('comes with the status, the size of the body and, for a failure, its beginning', () => {
    const reader = new AnswerReader();
    reader.take(Buffer.from(REFUSED));
    expect([reader.ok, reader.bodyBytes, reader.beginning]).toEqual([false, 4, REFUSED]);
    reader.take(Buffer.from(CHUNKED));
    expect([reader.ok, reader.beginning, reader.tail.toString()]).toEqual([
      true,
      '',
      '5\r\nhello\r\n3\r\n100\r\n0\r\n\r\n',
    ]);
  });
});
