import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { TroughError } from '../../../../src/errors.ts';
import { tempDir } from '../../../support/temp-dir.ts';
import { cli } from '../cli-harness.ts';
import { FakeTrough } from '../fake-trough.ts';

const ROWS = 2_000;
const VALUE = 'x'.repeat(1_000);
const LIMIT = 300_000;

/** A cluster whose journal takes so much at a time; the sizes of the writes that came, in order. */
async function importInto(telling: boolean): Promise<{ readonly sizes: readonly number[]; readonly rows: unknown }> {
  await using fake = await FakeTrough.start();
  await using dir = await tempDir();
  const sizes: number[] = [];
  fake.answer = (request, response, body) => {
    if (request.url?.endsWith('/write') !== true) return false;
    sizes.push(body.length);
    if (body.length <= LIMIT) return false;
    const context = telling ? { bytes: body.length, limitBytes: LIMIT } : {};
    const error = new TroughError('JOURNAL_TOO_LARGE', 'send less', context);
    response.writeHead(413, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ error: error.toRecord() }));
    return true;
  };
  const path = join(dir.path, 'in.csv');
  await writeFile(path, `key,n,note\n${Array.from({ length: ROWS }, (_, n) => `a,${String(n)},${VALUE}\n`).join('')}`);
  const run = await cli(['import', path, '--segment-by', 'key', '--batch-rows', '1000'], { env: fake.env });
  expect(run).toMatchObject({ code: 0, err: '' });
  return { sizes, rows: fake.rows('a', 'select count(*), count(distinct n), max(length(note)) from "in"') };
}

test.each([true, false])(
  'an import finds how much the cluster takes at a time and keeps to it; the limit told in the refusal: %s',
  async (telling) => {
    const { sizes, rows } = await importInto(telling);
    expect(rows).toEqual([[BigInt(ROWS), BigInt(ROWS), 1_000n]]);
    const refused = sizes.filter((size) => size > LIMIT).length;
    expect(refused).toBeGreaterThan(0);
    // Each halving at most, not one for each batch.
    expect(refused).toBeLessThanOrEqual(telling ? 1 : 3);
    expect(sizes.at(-1)).toBeLessThanOrEqual(LIMIT);
  },
);
