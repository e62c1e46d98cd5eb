import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkDeadlineMs, whoseCheckEnds } from '../../../src/engine/file-check.ts';
import { TroughError } from '../../../src/errors.ts';
import { tempDir } from '../../support/temp-dir.ts';

test('a file whose check does not end is damaged; any other failure of a check stays what it is', async () => {
  const late = new TroughError('ENGINE_DEADLINE', 'late');
  await expect(whoseCheckEnds(Promise.reject(late))).rejects.toMatchObject({
    code: 'SEGMENT_DAMAGED',
    message: 'its check does not end',
  });
  const full = new TroughError('DISK_FULL', 'full');
  await expect(whoseCheckEnds(Promise.reject(full))).rejects.toBe(full);
});

test('a check has time by the size of the file', async () => {
  await using dir = await tempDir();
  const file = join(dir.path, 'some');
  expect(await checkDeadlineMs(file, 1_000)).toBe(1_000);
  await writeFile(file, Buffer.alloc(50_000));
  expect(await checkDeadlineMs(file, 1_000)).toBe(1_010);
});
