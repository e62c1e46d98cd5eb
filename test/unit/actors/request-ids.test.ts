import { expect, test } from 'vitest';
import { type JournalLeg } from '../../../src/journal/memory-journal.ts';
import { code, journaledCluster, moveLease } from './journaled-fixture.ts';

test('a request that is sent twice is applied once and answered alike, also while the first is under way', async () => {
  const { process } = journaledCluster();
  const n1 = process('n1');
  await n1.open();
  const [one, other] = await Promise.all([n1.write('a', 'r1'), n1.write('a', 'r1')]);
  expect(other).toEqual(one);
  expect(await n1.write('a', 'r1')).toEqual(one);
  expect(await n1.write('a', 'r2')).not.toEqual(one);
  expect(n1.content()).toBe('a\na\n');
});

test('one that failed is tried again', async () => {
  const { process } = journaledCluster();
  const n1 = process('n1');
  await n1.open();
  await expect(n1.write('bad', 'r1')).rejects.toEqual(code('SQL_FAILED'));
  await n1.write('good', 'r1');
  expect(n1.content()).toBe('good\n');
});

test('a request id is known after a take-over, also when its write is in cold storage already', async () => {
  const { process, cluster } = journaledCluster();
  const [n1, n2] = [process('n1'), process('n2')];
  await n1.open();
  const { sequence } = await n1.write('a', 'r1');
  await n1.holder('promote');
  await n1.tick();
  await n2.open(await moveLease(cluster, 'n2'), true);
  expect(await n2.write('a', 'r1')).toMatchObject({ sequence, results: [{ changes: 1 }] });
  expect(n2.content()).toBe('a\n');
});

test('a request whose outcome was not known is answered by what the journal has when it comes again', async () => {
  const { process, cluster } = journaledCluster();
  const losing = { on: false };
  const n1 = process('n1', 'n1-1', {
    fate: ({ call, way, id }: JournalLeg) =>
      losing.on && call === 'append' && way === 'back' && id?.startsWith('1-') === true ? { lost: true } : undefined,
  });
  await n1.open();
  losing.on = true;
  const first = n1.write('a', 'r1').catch((error: unknown) => error);
  await cluster.clock.advance(1_100);
  expect(await first).toEqual(code('WRITE_OUTCOME_UNKNOWN'));
  await cluster.clock.advance(100);
  expect(await n1.write('a', 'r1')).toMatchObject({ sequence: 2 });
  expect(n1.content()).toBe('a\n');
});

test('request ids are forgotten after two minutes, here and in the journal', async () => {
  const { process, cluster, kinds } = journaledCluster();
  const n1 = process('n1');
  await n1.open();
  await n1.write('a', 'r1');
  await n1.holder('promote');
  await n1.tick();
  expect(kinds()).toEqual(['claim', 'data', 'intent']);
  await cluster.clock.advance(120_001);
  await n1.tick();
  expect(kinds()).toEqual(['data', 'intent']);
  await n1.write('a', 'r1');
  expect(n1.content()).toBe('a\na\n');
});
