import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ERRORS, TroughError } from '../../src/errors.ts';

test('the README explains every error code, with its kind, and none that is not there', async () => {
  const readme = await readFile(join(import.meta.dirname, '..', '..', 'README.md'), 'utf8');
  const rows = Array.from(readme.matchAll(/^\| `([A-Z_]+)` \| (\w+) \| (.+) \|$/gm), ([, code, kind, advice]) => ({
    code,
    kind,
    advice,
  }));
  expect(Object.fromEntries(rows.map(({ code, kind }) => [code, kind]))).toEqual(ERRORS);
  expect(rows.filter(({ advice }) => (advice ?? '').trim().length < 10)).toEqual([]);
});

test('an error crosses a border as a record and comes back with its code', () => {
  const error = new TroughError('SEGMENT_UNKNOWN', 'there is no segment', { segment: 'a' });
  const back = TroughError.fromRecord(
    JSON.parse(JSON.stringify(error.toRecord())) as ReturnType<TroughError['toRecord']>,
  );
  expect(back).toMatchObject({
    code: 'SEGMENT_UNKNOWN',
    kind: 'missing',
    message: 'there is no segment',
    context: { segment: 'a' },
  });
});

test('a code that this version does not know stays readable', () => {
  const error = TroughError.fromRecord({ code: 'FROM_THE_FUTURE', message: 'something new' });
  expect(error).toMatchObject({
    code: 'INTERNAL',
    message: 'something new',
    context: { foreignCode: 'FROM_THE_FUTURE' },
  });
});
