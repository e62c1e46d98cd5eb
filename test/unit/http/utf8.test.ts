import { describe, expect, it } from 'vitest';
import { decodeUtf8 } from '../../../src/http/utf8.ts';

// What CPython 3.11 says about each of these.
const COMPLAINTS: readonly [string, string][] = [
  ['73656c6563742027ff27', 'byte 0xff in position 8: invalid start byte'],
  ['80', 'byte 0x80 in position 0: invalid start byte'],
  ['c0af', 'byte 0xc0 in position 0: invalid start byte'],
  ['f5808080', 'byte 0xf5 in position 0: invalid start byte'],
  ['61c328', 'byte 0xc3 in position 1: invalid continuation byte'],
  ['e08080', 'byte 0xe0 in position 0: invalid continuation byte'],
  ['eda080', 'byte 0xed in position 0: invalid continuation byte'],
  ['e28228', 'bytes in position 0-1: invalid continuation byte'],
  ['f0908028', 'bytes in position 0-2: invalid continuation byte'],
  ['f4908080', 'byte 0xf4 in position 0: invalid continuation byte'],
  ['c3a9e2', 'byte 0xe2 in position 2: unexpected end of data'],
  ['f09f98', 'bytes in position 0-2: unexpected end of data'],
];

describe('strict UTF-8', () => {
  it('decodes what is sound, a byte order mark included', () => {
    expect(decodeUtf8(Buffer.from('\ufeffhé 世 😀'))).toBe('\ufeffhé 世 😀');
    expect(decodeUtf8(Buffer.alloc(0))).toBe('');
  });

  it.each(COMPLAINTS)('refuses %s in the words of the original', (hex, words) => {
    expect(() => decodeUtf8(Buffer.from(hex, 'hex'))).toThrow(`'utf-8' codec can't decode ${words}`);
  });
});
