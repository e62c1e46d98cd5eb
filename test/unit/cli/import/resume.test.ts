import { existsSync } from 'node:fs';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type StopSignal } from '../../../../src/cli/context.ts';
import { tempDir } from '../../../support/temp-dir.ts';
import { cli, type CliRun, type CliSetting } from '../cli-harness.ts';
import { FakeTrough, type Mishap } from '../fake-trough.ts';

const ROWS = Array.from({ length: 60 }, (_, n) => [`s${String((n * n) % 7)}`, n] as const);
const CSV = `key,n\n${ROWS.map(([key, n]) => `${key},${String(n)}\n`).join('')}`;

function expectEachRowOnce(fake: FakeTrough): void {
  for (const [key, rows] of Map.groupBy(ROWS, ([segment]) => segment)) {
    expect(fake.rows(key, 'select n from "in" order by rowid'), key).toEqual(rows.map(([, n]) => [BigInt(n)]));
  }
}

async function withFile(
  work: (path: string, run: (args?: readonly string[], given?: CliSetting) => Promise<CliRun>) => Promise<void>,
  fake: FakeTrough,
): Promise<void> {
  await using dir = await tempDir();
  const path = join(dir.path, 'in.csv');
  await writeFile(path, CSV);
  const args = ['import', path, '--segment-by', 'key', '--batch-rows', '3', '--parallel', '3'];
  await work(path, (more = [], given = {}) => cli([...args, ...more], { env: fake.env, ...given }));
}

/** An error that ends an import: `HOPELESS` for the loader. */
function dieFrom(fake: FakeTrough, write: number): void {
  fake.beforeWrite = (_, count) => {
    if (count >= write) throw new Error('no such table: gone');
  };
}

test('a run that dies anywhere is resumed without a lost or doubled row, however often', async () => {
  const dying = fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 6 }), async (deaths) => {
    await using fake = await FakeTrough.start();
    await withFile(async (path, run) => {
      let begun = false;
      for (const after of deaths) {
        dieFrom(fake, fake.writes + after);
        const { code } = await run(begun ? ['--resume'] : []);
        begun = existsSync(`${path}.trough-import.json`);
        if (code === 0) break;
      }
      fake.beforeWrite = () => undefined;
      if (begun || deaths.length === 0) expect((await run(begun ? ['--resume'] : [])).code).toBe(0);
      expectEachRowOnce(fake);
      expect(existsSync(`${path}.trough-import.json`)).toBe(false);
    }, fake);
  });
  await fc.assert(dying, { numRuns: 15 });
});

test('a write whose answer is lost, before or after it was applied or while it still waits, is applied once', async () => {
  const mishaps = fc.array(
    fc.constantFrom<Mishap>('lost-before', 'lost-after', 'late', 'busy', 'none', 'none', 'none'),
    {
      minLength: 1,
      maxLength: 12,
    },
  );
  const losing = fc.asyncProperty(mishaps, async (list) => {
    await using fake = await FakeTrough.start();
    fake.mishap = (write) => list[write - 1] ?? 'none';
    await withFile(async (_, run) => {
      expect(await run()).toMatchObject({ code: 0, err: '' });
      expectEachRowOnce(fake);
    }, fake);
  });
  await fc.assert(losing, { numRuns: 5 });
});

test('rows that were in the table before the import stay and are not counted as its own', async () => {
  await using fake = await FakeTrough.start();
  await withFile(async (_, run) => {
    expect((await run()).code).toBe(0);
    dieFrom(fake, fake.writes + 9);
    expect((await run()).code).toBe(1);
    fake.beforeWrite = () => undefined;
    expect((await run(['--resume'])).code).toBe(0);
    for (const key of fake.segments.keys()) {
      const doubled = fake.rows(key, 'select n, count(*) from "in" group by n').map((row) => (row as bigint[])[1]);
      expect(new Set(doubled)).toEqual(new Set([2n]));
    }
  }, fake);
});

test('an unfinished import is neither begun anew nor forgotten without being told', async () => {
  await using fake = await FakeTrough.start();
  await withFile(async (_, run) => {
    dieFrom(fake, 5);
    await run();
    fake.beforeWrite = () => undefined;
    const again = await run();
    expect(again.code).toBe(2);
    expect(again.err).toMatch(/--resume continues it, --restart forgets it/);
    expect((await run(['--restart'])).code).toBe(0);
  }, fake);
});

test('a finished import has nothing to resume', async () => {
  await using fake = await FakeTrough.start();
  await withFile(async (_, run) => {
    await run();
    expect(await run(['--resume'])).toMatchObject({
      code: 2,
      err: expect.stringMatching(/nothing to resume/) as string,
    });
  }, fake);
});

test('a file that has changed, or other options, cannot be resumed', async () => {
  await using fake = await FakeTrough.start();
  await withFile(async (path, run) => {
    dieFrom(fake, 5);
    await run();
    fake.beforeWrite = () => undefined;
    expect((await run(['--resume', '--segment-name', 'x-{key}'])).err).toMatch(
      /had another segmentName: "\{key\}", now "x-\{key\}"/,
    );
    await appendFile(path, 's1,99\n');
    expect((await run(['--resume'])).err).toMatch(/it has changed since/);
  }, fake);
});

test('somebody else writing the table ends the import', async () => {
  await using fake = await FakeTrough.start();
  await withFile(async (_, run) => {
    fake.beforeWrite = (segment, write) => {
      if (write === 8) fake.segments.get(segment)?.exec('insert into "in" values (\'x\', -1)');
    };
    const { code, err } = await run();
    expect(code).toBe(1);
    expect(err).toMatch(/nobody else may write the table during an import/);
  }, fake);
});

test('a state file whose last line was cut off is read without it', async () => {
  await using fake = await FakeTrough.start();
  await withFile(async (path, run) => {
    dieFrom(fake, 9);
    await run();
    fake.beforeWrite = () => undefined;
    await appendFile(`${path}.trough-import.json`, '{"segment":"s0","ba');
    expect((await run(['--resume'])).code).toBe(0);
    expectEachRowOnce(fake);
  }, fake);
});

test('a damaged state file is an error that names it', async () => {
  await using fake = await FakeTrough.start();
  await withFile(async (path, run) => {
    await writeFile(`${path}.trough-import.json`, 'no state\n');
    expect((await run(['--resume'])).err).toMatch(/the state file .*trough-import\.json cannot be used/);
    expect(await readFile(path, 'utf8')).toBe(CSV);
  }, fake);
});

test('a signal ends the import between two batches, and it can be resumed', async () => {
  await using fake = await FakeTrough.start();
  await withFile(async (_, run) => {
    let send: (signal: StopSignal) => void = () => undefined;
    fake.beforeWrite = (_segment, write) => {
      if (write === 4) send('SIGINT');
    };
    const first = await run(['--parallel', '1'], { signals: (listener) => (send = listener) });
    expect(first.code).toBe(1);
    expect(first.err).toMatch(/stopped before the end; the same command with --resume goes on/);
    expect((await run(['--resume'])).code).toBe(0);
    expectEachRowOnce(fake);
  }, fake);
});
