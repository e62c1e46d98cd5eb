import { mkdir, readdir, readFile, rename, utimes, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { parseSegmentId } from '../../../src/model/segment-id.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { passUntil } from '../../support/pass-until.ts';
import { coldCheckScene, flipped, shaOf } from './cold-check-fixture.ts';

const DAY_S = 24 * 3_600;

test('where all is well nothing is found, and it says how much was looked at', async () => {
  await using scene = await coldCheckScene();
  for (const id of ['crawl-1', 'crawl-2', 'x']) await scene.publish(id, ['n1', 'n2']);
  const { findings, checked, total } = await scene.check();
  expect(findings).toEqual([]);
  expect(checked).toEqual({ segments: 3, files: 3, bytes: total.bytes });
  expect(total).toEqual({ segments: 3, bytes: 3 * 8192 });
  const quick = await scene.check({ read: false });
  expect(quick).toMatchObject({ findings: [], checked: { segments: 3, files: 3, bytes: 0 } });
});

test('a lost file is found with the nodes that have copies, and is published again as it was', async () => {
  await using scene = await coldCheckScene();
  const version = await scene.publish('crawl-1', ['n1', 'n2']);
  const was = await scene.cold.stat(parseSegmentId('crawl-1'));
  const bytes = await readFile(scene.at('craw/crawl-1.sqlite'));
  await scene.lose('crawl-1');
  const copies = [
    { node: 'n1', version },
    { node: 'n2', version },
  ];
  const finding = { kind: 'lost', segment: 'crawl-1', path: 'craw/crawl-1.sqlite', copies };
  expect((await scene.check()).findings).toMatchObject([{ ...finding, repaired: false }]);
  expect(await readdir(scene.at('craw'))).toEqual([]);

  const { findings } = await scene.check({ repair: true });
  expect(findings).toMatchObject([{ ...finding, repaired: true, repair: 'published again from the copy on n1' }]);
  expect((await readFile(scene.at('craw/crawl-1.sqlite'))).equals(bytes)).toBe(true);
  expect((await scene.check()).findings).toEqual([]);
  // Nobody takes it for another version, so nobody fetches it again.
  const now = await scene.cold.stat(parseSegmentId('crawl-1'));
  expect(now).toEqual(was);
  const told = scene.changes.length;
  await scene.asking((reply) => ({ kind: 'take', files: now === undefined ? [] : [now], reply }));
  expect(scene.changes.length).toBe(told);
  expect(scene.changes.at(-1)).toMatchObject({ id: 'crawl-1', version });
});

test('a lost file of which there are only older copies, or none, is not made up', async () => {
  await using scene = await coldCheckScene();
  await scene.publish('crawl-1');
  await scene.publish('crawl-2');
  scene.copies.set('crawl-2', [{ node: 'n1', version: 5, path: '/nowhere' }]);
  await scene.lose('crawl-1');
  await scene.lose('crawl-2');
  const { findings } = await scene.check({ repair: true });
  expect(findings).toMatchObject([
    { kind: 'lost', segment: 'crawl-1', copies: [], repaired: false, repair: 'no node has a copy' },
    { kind: 'lost', segment: 'crawl-2', copies: [{ node: 'n1', version: 5 }], repaired: false },
  ]);
  expect(findings[1]?.repair).toBe('no node has a copy of that version');
});

test('a copy that cannot be read is passed over for the next', async () => {
  await using scene = await coldCheckScene();
  const version = await scene.publish('crawl-1', ['n2']);
  scene.copies.get('crawl-1')?.unshift({ node: 'n1', version, path: '/nowhere' });
  await scene.lose('crawl-1');
  const { findings } = await scene.check({ repair: true });
  expect(findings).toMatchObject([{ repaired: true, repair: 'published again from the copy on n2' }]);
});

test('what is open for writing is left to its writer, what was shredded to nobody', async () => {
  await using scene = await coldCheckScene();
  for (const id of ['crawl-1', 'crawl-2']) {
    await scene.publish(id, ['n1']);
    await scene.lose(id);
  }
  await scene.cluster.lease('crawl-1', { state: 'held' });
  await scene.cluster.lease('crawl-2', { state: 'shredded' });
  const { findings } = await scene.check({ repair: true });
  expect(findings).toMatchObject([{ kind: 'lost', segment: 'crawl-1', repaired: false }]);
  expect(findings[0]?.repair).toContain('trough promote crawl-1');
});

test('a file that is short, does not begin as a database, or has another content is torn; nothing replaces it', async () => {
  await using scene = await coldCheckScene();
  for (const id of ['good', 'head', 'flip', 'short']) await scene.publish(id, ['n1']);
  const left = {
    short: await scene.damage('short', (bytes) => bytes.subarray(0, 5000)),
    head: await scene.damage('head', (bytes) => Buffer.concat([Buffer.alloc(16, 'x'), bytes.subarray(16)])),
    flip: await scene.damage('flip', flipped),
  };
  const { findings } = await scene.check({ repair: true });
  expect(findings.map(({ kind, segment, repaired }) => [kind, segment, repaired])).toEqual([
    ['torn', 'flip', false],
    ['torn', 'head', false],
    ['torn', 'short', false],
  ]);
  expect(findings[0]?.why).toContain('SHA-256');
  expect(findings[2]?.why).toBe('it has 5000 bytes, 8192 were published');
  expect(findings[0]?.copies).toMatchObject([{ node: 'n1' }]);
  expect(shaOf(await readFile(scene.at('sh/short.sqlite')))).toBe(shaOf(left.short));
  expect(shaOf(await readFile(scene.at('h/head.sqlite')))).toBe(shaOf(left.head));
  expect(shaOf(await readFile(scene.at('f/flip.sqlite')))).toBe(shaOf(left.flip));
  // Without reading the contents, what lengths and beginnings show.
  const quick = await scene.check({ read: false });
  expect(quick.findings.map(({ segment }) => segment)).toEqual(['head', 'short']);
});

test('a file of somebody else is foreign until it is taken in, where it is whole', async () => {
  await using scene = await coldCheckScene();
  await scene.publish('crawl-1', []);
  // Whoever has listed before does not look for strays again.
  for await (const event of scene.cold.list(undefined)) expect(event.kind).not.toBe('gone');
  await scene.place('anywhere/foreign-1.sqlite');
  await scene.place('anywhere/-bad.sqlite');
  await scene.place('elsewhere/crawl-1.sqlite');
  const bytes = await scene.place('_/cut.sqlite', 5000);
  await writeFile(scene.at('_/cut.sqlite'), bytes.subarray(0, 8192));
  const { findings } = await scene.check({ repair: true });
  const seen = findings.map(({ kind, segment, repaired }) => [kind, segment, repaired]);
  expect(seen.sort()).toEqual(
    [
      ['foreign', 'crawl-1', false],
      ['foreign', 'foreign-1', true],
      ['foreign', null, false],
      ['torn', 'cut', false],
    ].sort(),
  );
  const row = await scene.asking((reply) => ({ kind: 'segment', segment: parseSegmentId('foreign-1'), reply }));
  expect(row).toMatchObject({ id: 'foreign-1', sizeBytes: 8192 });
  expect((await scene.check()).findings.map(({ segment }) => segment).sort()).toEqual(['crawl-1', 'cut', null].sort());
});

test('a file that somebody put in the place of ours is foreign, and is taken in as a new version', async () => {
  await using scene = await coldCheckScene();
  const version = await scene.publish('crawl-1', []);
  await scene.place('craw/crawl-1.sqlite', 500);
  await utimes(scene.at('craw/crawl-1.sqlite'), 2e9, 2e9);
  expect((await scene.check()).findings).toMatchObject([{ kind: 'foreign', segment: 'crawl-1', repaired: false }]);
  expect((await scene.check({ repair: true })).findings).toMatchObject([{ kind: 'foreign', repaired: true }]);
  expect((await scene.check()).findings).toEqual([]);
  expect(scene.changes.at(-1)?.version).toBeGreaterThan(version);
});

test('what a lease says was shredded is not taken in again', async () => {
  await using scene = await coldCheckScene();
  await scene.place('craw/crawl-1.sqlite');
  await scene.cluster.lease('crawl-1', { state: 'shredded' });
  const { findings } = await scene.check({ repair: true });
  expect(findings).toMatchObject([{ kind: 'foreign', segment: 'crawl-1', repaired: false }]);
});

test('temporary files older than a day are leftovers, and are removed; younger ones are nothing', async () => {
  await using scene = await coldCheckScene();
  for (const name of ['old', 'young']) await writeFile(scene.at(`.trough-tmp/${name}.part`), 'x');
  const longAgo = Date.now() / 1000 - DAY_S - 3600;
  await utimes(scene.at('.trough-tmp/old.part'), longAgo, longAgo);
  const finding = { kind: 'leftover', segment: null, path: scene.at('.trough-tmp/old.part') };
  expect((await scene.check()).findings).toMatchObject([{ ...finding, repaired: false }]);
  expect((await scene.check({ repair: true })).findings).toMatchObject([{ ...finding, repaired: true }]);
  expect(await readdir(scene.at('.trough-tmp'))).toEqual(['young.part']);
});

test('stretch by stretch it comes to the same end, each from the place that the one before told', async () => {
  let now = 0;
  // Every look at it is later than any stretch lasts.
  await using scene = await coldCheckScene({ ...systemClock, monotonic: () => (now += 3_000) });
  for (let number = 100; number < 140; number += 1) await scene.publish(`crawl-${String(number)}`, ['n1']);
  for (let number = 0; number < 5; number += 1)
    await scene.place(`dir-${String(number)}/foreign-${String(number)}.sqlite`);
  await scene.lose('crawl-100');
  await scene.lose('crawl-139');
  const { findings, checked, stretches } = await scene.check();
  expect(stretches).toBeGreaterThan(10);
  expect(checked).toMatchObject({ segments: 40, files: 43 });
  expect(findings.map(({ segment }) => segment)).toEqual([
    ...['crawl-100', 'crawl-139'],
    ...['foreign-0', 'foreign-1', 'foreign-2', 'foreign-3', 'foreign-4'],
  ]);
});

test('it reads no faster than it may, and a request can only slow it down', async () => {
  const clock = new ManualClock();
  await using scene = await coldCheckScene(clock, { bytes: 8192, looks: 1e9 });
  for (const id of ['crawl-1', 'crawl-2']) await scene.publish(id, []);
  const took = (bytesPerSecond?: number): Promise<number> =>
    passUntil(clock, scene.check(bytesPerSecond === undefined ? {} : { bytesPerSecond }));
  expect(await took()).toBeGreaterThanOrEqual(2_000);
  expect(await took(1e9)).toBeGreaterThanOrEqual(2_000);
  expect(await took(819.2)).toBeGreaterThanOrEqual(20_000);
});

test('a storage that is not there has lost nothing', async () => {
  await using scene = await coldCheckScene();
  await scene.publish('crawl-1', ['n1']);
  await rename(scene.root, `${scene.root}-unmounted`);
  await mkdir(scene.root);
  await expect(scene.check({ repair: true })).rejects.toMatchObject({ code: 'COLD_FAILED' });
  expect(await readdir(scene.root)).toEqual([]);
});

test('a place that no check has told is refused', async () => {
  await using scene = await coldCheckScene();
  await expect(scene.stretch({ after: 'nowhere', read: true, repair: false })).rejects.toMatchObject({
    code: 'REQUEST_INVALID',
  });
});
