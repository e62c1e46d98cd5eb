import { join } from 'node:path';
import { expect } from 'vitest';
import { type ColdFinding } from '../../src/messages/cold-check.ts';
import { clusterStatus, promote, provision, readFrom, release, writeTo } from './api.ts';
import { eventually } from './eventually.ts';
import { natsServer } from './nats-server.ts';
import { tempDir } from './temp-dir.ts';
import { clientEnv, trough, verb } from './trough-process.ts';

const HOUR_MS = 3_600_000;

/** Somebody else's hands in a cold storage; paths are relative to its root. */
export interface ColdHands {
  place(path: string, content: Uint8Array): Promise<void>;
  drop(path: string): Promise<void>;
  read(path: string): Promise<Uint8Array | undefined>;
  age(path: string, ms: number): Promise<void>;
}

/** Two nodes whose cold storage is damaged in every way that a check knows; it finds all of it, and mends what it may. */
export async function coldCheckStory(cold: string, hands: ColdHands): Promise<void> {
  await using nats = await natsServer();
  await using dir = await tempDir();
  const args = ['--nats', nats.url, '--cold', cold, '--copies', '2', '--cold-scan-interval', '1h'];
  await using first = await trough({ data: join(dir.path, 'n1'), node: 'n1', args });
  await using second = await trough({ data: join(dir.path, 'n2'), node: 'n2', args });
  for (const id of ['crawl-1', 'crawl-2', 'crawl-3']) {
    const { writeUrl } = await provision(first, id);
    await writeTo(writeUrl, `create table t (a); insert into t values ('${id}')`);
    await promote(first, id);
    await release(first, id);
  }
  const copies = async (): Promise<number> =>
    (await clusterStatus(first)).nodes.reduce((sum, node) => sum + node.copies, 0);
  await eventually('two copies of each', async () => (await copies()) === 6, 60_000);
  const check = async (...more: string[]): Promise<{ code: number | null; findings: ColdFinding[] }> => {
    const { code, stdout, stderr } = await verb(['cold', 'check', '--json', ...more], {
      env: clientEnv(second),
      cwd: dir.path,
    });
    const lines = stdout.trim().split('\n');
    expect(lines.at(-1), stderr).toContain('{"_trough":{"summary":');
    return { code, findings: lines.slice(0, -1).map((line) => JSON.parse(line) as ColdFinding) };
  };
  expect(await check()).toEqual({ code: 0, findings: [] });

  const whole = Buffer.from((await hands.read('craw/crawl-1.sqlite')) ?? '');
  await hands.drop('craw/crawl-1.sqlite');
  await hands.place('craw/crawl-2.sqlite', whole.subarray(0, 5000));
  await hands.place('foreig/foreign-1.sqlite', whole);
  await hands.place('.trough-tmp/crawl-9.dead.part', whole);
  await hands.age('.trough-tmp/crawl-9.dead.part', 25 * HOUR_MS);
  const found = await check();
  const seen = (findings: readonly ColdFinding[]): unknown[] =>
    findings.map(({ kind, segment, copies, repaired }) => [
      kind,
      segment,
      copies.map(({ node }) => node).sort(),
      repaired,
    ]);
  expect(found.code).toBe(1);
  expect(seen(found.findings)).toEqual([
    ['lost', 'crawl-1', ['n1', 'n2'], false],
    ['torn', 'crawl-2', ['n1', 'n2'], false],
    ['foreign', 'foreign-1', [], false],
    ['leftover', null, [], false],
  ]);

  const mended = await check('--repair');
  expect(seen(mended.findings)).toEqual([
    ['lost', 'crawl-1', ['n1', 'n2'], true],
    ['torn', 'crawl-2', ['n1', 'n2'], false],
    ['foreign', 'foreign-1', [], true],
    ['leftover', null, [], true],
  ]);
  expect(mended.code).toBe(1);
  expect(whole.equals(Buffer.from((await hands.read('craw/crawl-1.sqlite')) ?? ''))).toBe(true);
  expect(await hands.read('.trough-tmp/crawl-9.dead.part').catch(() => undefined)).toBeUndefined();
  expect(await readFrom(first, 'foreign-1', 'select a from t')).toEqual([{ a: 'crawl-1' }]);

  // As the finding says: away with the torn file, then it is published again.
  await hands.drop('craw/crawl-2.sqlite');
  expect(await check('--repair')).toMatchObject({ code: 0, findings: [{ kind: 'lost', segment: 'crawl-2' }] });
  expect(await check()).toEqual({ code: 0, findings: [] });
  expect(await readFrom(second, 'crawl-2', 'select a from t')).toEqual([{ a: 'crawl-2' }]);
}
