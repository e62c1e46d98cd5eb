import { expect, test } from 'vitest';
import { silentLog } from '../../../src/log.ts';
import { keys } from '../../../src/messages/keys.ts';
import { type RuleAnswer, type RuleRequest } from '../../../src/messages/segment-rule.ts';
import { answerRule } from '../../../src/roles/leader-rules.ts';
import { leading } from './leader-fixture.ts';

async function scene() {
  const scene = await leading(['n1', 'n2', 'n3']);
  const { cluster, placed, place } = scene;
  await place(placed('n1', 'n2', 'n3'), placed('n1', 'n2', 'n3'));
  const { store, clock } = cluster;
  const known = new Set(['s', 't']);
  const context = {
    ...scene.context,
    ...{ store, clock, log: silentLog },
    knows: (segment: string) => Promise.resolve(known.has(segment)),
  };
  const ask = async (request: RuleRequest): Promise<RuleAnswer> => {
    const answer = await answerRule(context, request);
    await cluster.settle();
    return answer;
  };
  return { ...scene, ask };
}

test('a rule is kept in the store until it is removed, and shows what the segment gets', async () => {
  const { cluster, ask, where } = await scene();
  const set = await ask({ op: 'set', segment: 's', copies: 3 });
  expect(set).toMatchObject({
    changed: true,
    rules: [
      { segment: 's', copies: 3, tier: null, hot: null, gets: { copies: 3 }, bySettings: { copies: 2 }, placed: 2 },
    ],
  });
  expect((await ask({ op: 'set', segment: 's', copies: 3 })).changed).toBe(false);
  expect(cluster.view.rule('s')?.document).toMatchObject({ segment: 's', copies: 3, extra: [] });
  expect(await where()).toMatchObject({ copies: 3, rule: { copies: 3, tier: null, hotCopies: null } });
  await ask({ op: 'set', segment: 't', tier: 'cold' });
  expect((await ask({ op: 'list' })).rules.map(({ segment, gets }) => [segment, gets.tier])).toEqual([
    ['s', 'hot'],
    ['t', 'cold'],
  ]);
  expect(await ask({ op: 'remove', segment: 's' })).toEqual({ rules: [], changed: true });
  expect(await ask({ op: 'remove', segment: 's' })).toEqual({ rules: [], changed: false });
  expect((await ask({ op: 'list' })).rules.map(({ segment }) => segment)).toEqual(['t']);
  expect((await where()).rule).toBeUndefined();
});

test('what the leader has decided about a segment stays when its rule changes', async () => {
  const { cluster, ask } = await scene();
  const hot = { copies: 3, sinceMs: 9 };
  await cluster.put(keys.rule('s'), { segment: 's', sinceMs: 5, hot, extra: [{ node: 'n3', serving: true }], term: 4 });
  await ask({ op: 'set', segment: 's', copies: 2 });
  const kept = { hot, extra: [{ node: 'n3', serving: true }], term: 4 };
  expect(cluster.view.rule('s')?.document).toMatchObject({ copies: 2, ...kept });
  expect((await ask({ op: 'remove', segment: 's' })).rules).toMatchObject([{ copies: null, gets: { copies: 3 } }]);
  expect(cluster.view.rule('s')?.document).toMatchObject({ copies: null, ...kept });
});

test('a rule for no segment, for more copies than nodes, or that says nothing, is refused with the reason', async () => {
  const { cluster, ask } = await scene();
  await expect(ask({ op: 'set', segment: 'nosuch', copies: 1 })).rejects.toMatchObject({ code: 'SEGMENT_UNKNOWN' });
  await expect(ask({ op: 'set', segment: 's', copies: 4 })).rejects.toMatchObject({
    code: 'REQUEST_INVALID',
    message: '4 copies need 4 nodes, and there are 3 that keep copies',
  });
  await expect(ask({ op: 'set', segment: 's' })).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
  await expect(ask({ op: 'set', segment: 's', copies: 1, tier: 'cold' })).rejects.toMatchObject({
    code: 'REQUEST_INVALID',
  });
  await cluster.lease('s');
  await expect(ask({ op: 'set', segment: 's', tier: 'cold' })).rejects.toMatchObject({ code: 'SEGMENT_LEASED' });
  expect(Array.from(cluster.view.rules())).toEqual([]);
});
