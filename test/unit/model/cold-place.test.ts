import { describe, expect, test } from 'vitest';
import { parseColdPlace } from '../../../src/model/cold-place.ts';

describe('the place of cold storage', () => {
  test.each(['/mnt/cold', './cold', 'cold', 'C:cold'])('%j is a directory', (path) => {
    expect(parseColdPlace(path)).toEqual({ kind: 'directory', path });
  });

  test.each([
    ['webhdfs://nn:50070/trough', { secure: false, user: undefined, nameNodes: ['nn:50070'], root: '/trough' }],
    ['webhdfs://joe@nn/a/b/', { secure: false, user: 'joe', nameNodes: ['nn:9870'], root: '/a/b' }],
    ['webhdfs://joe@nn1:1,nn2:2/a', { user: 'joe', nameNodes: ['nn1:1', 'nn2:2'] }],
    ['swebhdfs://nn1,nn2:9999/a', { secure: true, nameNodes: ['nn1:9871', 'nn2:9999'] }],
    ['WebHDFS://[::1]:80', { nameNodes: ['[::1]:80'], root: '' }],
  ])('%j is an HDFS', (raw, expected) => {
    expect(parseColdPlace(raw)).toMatchObject({ kind: 'webhdfs', ...expected });
  });

  test.each([
    ['hdfs://nn:8020/a', /'hdfs' is not known/],
    ['https://nn/a', /'https' is not known/],
    ['webhdfs:///a', /is not host:port/],
    ['webhdfs://nn:0/a', /is not host:port/],
    ['webhdfs://nn:70000/a', /is not host:port/],
    ['webhdfs://a b:1/a', /is not host:port/],
    ['webhdfs://nn:1/a/../b', /'\.\.' in it/],
    ['webhdfs://nn:1//a', /an empty part/],
    ['webhdfs://nn:1/a:b', /no ':' in names/],
    ['webhdfs://joe:secret@nn:1/a', /takes no password/],
  ])('%j is refused', (raw, message) => {
    expect(() => parseColdPlace(raw)).toThrow(message);
  });
});
