import { expect, test, vi } from 'vitest';
import { keys } from '../../../src/messages/keys.ts';
import { CatalogueRows } from '../../../src/actors/leader/catalogue-rows.ts';
import { TroughError } from '../../../src/errors.ts';
import { scene, slotsOf } from './catalogue-fixture.ts';

test('the rule of one segment decides over the settings, is told, kept, and taken back', async () => {
  await using at = await scene();
  await at.published('s');
  await at.rules();
  await at.rule('s', { copies: 5 });
  await at.rules(['s', 'never-heard-of']);
  expect(at.ruled).toMatchObject([{ id: 's', version: 70, copies: 5, tier: 'hot' }]);
  expect((await at.manifest(slotsOf(4, 's'))).rows).toHaveLength(1);
  expect(await at.sql('select id, copies, tier, hot_copies, since_ms from rules')).toEqual([['s', 5, null, null, 5]]);

  await at.rule('s', { tier: 'cold' });
  await at.rules(['s']);
  expect(at.ruled.at(-1)).toMatchObject({ id: 's', tier: 'cold' });
  expect(await at.segments({ tier: 'cold' })).toMatchObject({ segments: [{ id: 's' }] });
  expect((await at.manifest(slotsOf(0, 's'))).rows).toEqual([]);

  const entry = await at.cluster.store.get(keys.rule('s'));
  await at.cluster.store.delete(keys.rule('s'), entry?.revision ?? 0);
  await at.cluster.settle();
  await at.rules(['s']);
  expect(at.ruled.at(-1)).toMatchObject({ id: 's', copies: 2, tier: 'hot' });
  expect(await at.sql('select id from rules')).toEqual([]);
});

test('a start takes in what rules were set and taken back meanwhile, unless the store was lost', async () => {
  await using at = await scene();
  for (const id of ['a', 'b']) await at.published(id);
  await at.rule('a', { copies: 1 });
  await at.rules(['a']);
  const entry = await at.cluster.store.get(keys.rule('a'));
  await at.cluster.store.delete(keys.rule('a'), entry?.revision ?? 0);
  await at.rule('b', { copies: 1 });
  await at.cluster.put(keys.cluster, { id: 'x', sinceMs: 0, state: 'lost' });
  at.restart();
  await at.rules();
  expect(await at.sql('select id, copies from segments order by id')).toEqual([
    ['a', 1],
    ['b', 2],
  ]);
  await at.cluster.put(keys.cluster, { id: 'x', sinceMs: 0, state: 'ready' });
  await at.rules();
  expect(await at.sql('select id, copies from segments order by id')).toEqual([
    ['a', 2],
    ['b', 1],
  ]);
  expect(await at.sql('select id from rules')).toEqual([['b']]);
});

test('settings that say something else than at the last start hold for all that is known already', async () => {
  await using at = await scene();
  for (const id of ['one-a', 's', '50']) await at.published(id);
  await at.rules();
  expect(await at.sql('select id, tier, copies from segments order by id')).toEqual([
    ['50', 'cold', 2],
    ['one-a', 'hot', 1],
    ['s', 'hot', 2],
  ]);
  at.settle(3);
  await at.rules();
  expect(await at.sql('select distinct tier, copies from segments')).toEqual([['hot', 3]]);
});

test('a rule that the disk did not take in is taken in and told a second later, that of a beginning too', async () => {
  await using at = await scene();
  for (const id of ['a', 'b']) await at.published(id);
  await at.rules();
  const copies = (): Promise<unknown> => at.sql('select copies from segments order by id');
  const treat = vi.spyOn(CatalogueRows.prototype, 'treat');
  const fails = (): unknown => treat.mockRejectedValueOnce(new TroughError('DATA_DIRECTORY_UNUSABLE', 'not now'));
  await at.rule('a', { copies: 5 });
  fails();
  await at.rules(['a']);
  expect([at.ruled, await copies()]).toEqual([[], [[2], [2]]]);
  await at.rules([]);
  expect(at.ruled).toMatchObject([{ id: 'a', copies: 5 }]);
  await at.rule('b', { copies: 4 });
  fails();
  await at.rules();
  await at.rules([]);
  expect(await copies()).toEqual([[5], [4]]);
  expect(at.ruled.at(-1)).toMatchObject({ id: 'b', copies: 4 });
  const told = at.ruled.length;
  await at.rules([]);
  expect(at.ruled).toHaveLength(told);
  treat.mockRestore();
});
