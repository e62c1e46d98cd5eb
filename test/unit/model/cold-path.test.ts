import fc from 'fast-check';
import { expect, test } from 'vitest';
import { coldPath, coldPrefix, readColdName } from '../../../src/model/cold-path.ts';
import { isSegmentId, parseSegmentId } from '../../../src/model/segment-id.ts';

test.each([
  ['a', '_/a.sqlite'],
  ['abc', '_/abc.sqlite'],
  ['abcd', 'a/abcd.sqlite'],
  ['100012345', '100012/100012345.sqlite'],
  ['x.sqlite', 'x.sql/x.sqlite.sqlite'],
  ['a𝒳𝒴𝒵', 'a/a𝒳𝒴𝒵.sqlite'],
])('the segment %j lies at %j', (id, path) => {
  expect(coldPath(parseSegmentId(id))).toBe(path);
});

test('a path stays below the root, and its name is read back as the id', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).filter(isSegmentId), (text) => {
      const id = parseSegmentId(text);
      const [prefix, name, ...more] = coldPath(id).split('/');
      expect(more).toEqual([]);
      expect(prefix).toBe(coldPrefix(id));
      expect(prefix).toMatch(/^[^./][^/]*$/u);
      expect(readColdName(name ?? '')).toEqual({ kind: 'segment', id });
    }),
  );
});

test('names that are no segment', () => {
  for (const name of ['-x.sqlite', 'a:b.sqlite', ' .sqlite', `${'x'.repeat(129)}.sqlite`])
    expect(readColdName(name)).toEqual({ kind: 'misnamed' });
  for (const name of ['.sqlite', '.x.sqlite', 'x.sqlite._COPYING_', 'x.sqlite-wal', 'x.db', 'sqlite'])
    expect(readColdName(name)).toEqual({ kind: 'other' });
});
