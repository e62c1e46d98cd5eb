import { expect, test } from 'vitest';
import { type Elsewhere, type HotClaim, judgeHot } from '../../../src/actors/leader/rebuild/hot-claims.ts';

const NOTE = { stream: '1', incarnation: 'now' };
const BEFORE = { stream: '1', incarnation: 'before' };

function claim(node: string, changes: Partial<HotClaim> = {}): HotClaim {
  return { node, segment: 'abc', sizeBytes: 8_192, modifiedMs: 1_000, note: null, ...changes };
}

function nothingElse(changes: Partial<Elsewhere> = {}): Elsewhere {
  return {
    journal: undefined,
    coldModifiedMs: undefined,
    take: undefined,
    stateOf: () => Promise.reject(new Error('its file is not to be looked into')),
    coldSha256: () => Promise.reject(new Error('cold storage is not to be read')),
    ...changes,
  };
}

function marks(of: Readonly<Record<string, number>>): Elsewhere['stateOf'] {
  return (node) => Promise.resolve({ mark: of[node] ?? 0, sha256: `of ${node}` });
}

test('a file that is all there is of a segment counts', async () => {
  expect(await judgeHot([claim('n1')], nothingElse())).toEqual({ kind: 'node', node: 'n1', isCut: false });
});

test('a file that was written to after cold storage was counts', async () => {
  const verdict = await judgeHot([claim('n1')], nothingElse({ coldModifiedMs: 999 }));
  expect(verdict).toEqual({ kind: 'node', node: 'n1', isCut: false });
});

test('a file that is not younger than cold storage counts when it would be published as what is there', async () => {
  const stateOf = marks({});
  const same = nothingElse({ coldModifiedMs: 1_000, stateOf, coldSha256: () => Promise.resolve('of n1') });
  expect(await judgeHot([claim('n1')], same)).toEqual({ kind: 'node', node: 'n1', isCut: false });
  // A write while a promote was under way, or a file that was left behind: nothing tells which.
  const other = nothingElse({ coldModifiedMs: 1_000, stateOf, coldSha256: () => Promise.resolve('other') });
  expect(await judgeHot([claim('n1')], other)).toEqual({ kind: 'undecided', between: ['n1', 'cold'] });
});

test('a file that follows the journal that there is says nothing beside it', async () => {
  const verdict = await judgeHot(
    [claim('n1', { note: NOTE }), claim('n2', { note: NOTE })],
    nothingElse({ journal: NOTE }),
  );
  expect(verdict).toEqual({ kind: 'elsewhere' });
});

test('a file beside a journal that it does not follow is for the operator', async () => {
  const claims = [claim('n1'), claim('n2', { note: NOTE })];
  expect(await judgeHot(claims, nothingElse({ journal: NOTE }))).toEqual({
    kind: 'undecided',
    between: ['n1', 'journal'],
  });
});

test('of files that followed one lost journal the one that has more of it counts, also where the marks begin again', async () => {
  const claims = [claim('n1', { note: BEFORE }), claim('n2', { note: BEFORE })];
  const wanted = { kind: 'node', node: 'n2', isCut: true };
  expect(await judgeHot(claims, nothingElse({ stateOf: marks({ n1: 17, n2: 18 }) }))).toEqual(wanted);
  const wrapped = marks({ n1: 2 ** 31 - 1, n2: -(2 ** 31) });
  expect(await judgeHot(claims, nothingElse({ stateOf: wrapped }))).toEqual(wanted);
});

test('of files without a journal none is preferred, unless the operator says so', async () => {
  const claims = [claim('n1', { modifiedMs: 5 }), claim('n2', { modifiedMs: 6 })];
  expect(await judgeHot(claims, nothingElse())).toEqual({ kind: 'undecided', between: ['n1', 'n2'] });
  const mixed = [claim('n1', { note: BEFORE }), claim('n2', { note: { ...BEFORE, stream: '2' } })];
  expect(await judgeHot(mixed, nothingElse())).toEqual({ kind: 'undecided', between: ['n1', 'n2'] });
  expect(await judgeHot(claims, nothingElse({ take: 'n1' }))).toEqual({ kind: 'node', node: 'n1', isCut: false });
  expect(await judgeHot(claims, nothingElse({ take: 'cold' }))).toEqual({ kind: 'elsewhere' });
});
