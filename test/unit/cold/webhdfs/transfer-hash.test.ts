import { randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ContentHash } from '../../../../src/cold/webhdfs/content-hash.ts';
import { USUAL_SHAPE } from '../../../../src/cold/webhdfs/hdfs-checksum.ts';
import { transferHash } from '../../../../src/cold/webhdfs/transfer-hash.ts';
import { tempDir } from '../../../support/temp-dir.ts';

const MiB = 1024 * 1024;

test.for([
  [0, true],
  [5, true],
  [16 * MiB - 1, false],
  [16 * MiB, false],
  [37 * MiB + 3, false],
  [37 * MiB + 3, true],
] as const)(
  'of %d bytes the hashes are the same wherever they are computed, whether the length is known (%s) or not',
  async ([bytes, isKnown]) => {
    await using dir = await tempDir();
    const path = join(dir.path, 'file');
    await using file = await open(path, 'w');
    const content = randomBytes(bytes);
    const whole = new ContentHash(USUAL_SHAPE);
    whole.update(content);
    const expected = whole.digest();
    for (const shape of [USUAL_SHAPE, undefined]) {
      await using hash = transferHash(shape, isKnown ? bytes : undefined, path);
      for (let at = 0; at < bytes; at += 3 * MiB) {
        const piece = content.subarray(at, at + 3 * MiB);
        await file.write(piece, 0, piece.length, at);
        hash.update(piece);
      }
      expect(await hash.digest()).toEqual(shape === undefined ? { ...expected, hdfs: '' } : expected);
    }
  },
);
