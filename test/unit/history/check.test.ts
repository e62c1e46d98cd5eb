import { describe, expect, it } from 'vitest';
import { check, checkWork } from '../../history/check.ts';
import { type FinalRead, type Operation, type Outcome, type Seen } from '../../history/operation.ts';

const COMMON = { client: 1, segment: 's', node: 'n1', tries: 1 };

function append(value: number, startMs: number, endMs: number, outcome: Outcome = 'ok'): Operation {
  return { ...COMMON, kind: 'append', value, startMs, endMs, outcome };
}

function set(value: number, startMs: number, endMs: number, outcome: Outcome = 'ok'): Operation {
  return { ...COMMON, kind: 'set', value, startMs, endMs, outcome };
}

function read(list: readonly number[], startMs: number, endMs: number, register: number | null = null): Operation {
  const seen: Seen = { count: list.length, tail: list.slice(-2), register };
  return { ...COMMON, kind: 'read', startMs, endMs, outcome: 'ok', seen };
}

function final(list: readonly number[], register: number | null = null): FinalRead {
  return { segment: 's', node: 'n1', list, register, startMs: 1_000, endMs: 1_001 };
}

function kinds(operations: readonly Operation[], last: FinalRead): string[] {
  return check(operations, [last]).map(({ kind }) => kind);
}

describe('a list', () => {
  it('is right when every acknowledged value is there once, in an order that was possible', () => {
    const operations = [
      append(1, 0, 10),
      append(2, 5, 20),
      append(3, 6, 19),
      read([1], 7, 12),
      read([1, 3, 2], 21, 22),
      append(4, 30, 40, 'unknown'),
      append(5, 30, 40, 'unknown'),
      append(6, 41, 42, 'failed'),
      { ...COMMON, kind: 'read', startMs: 50, endMs: 60, outcome: 'failed' } as const,
    ];
    expect(check(operations, [final([1, 3, 2, 5])])).toEqual([]);
  });

  it.each([
    ['lost', 'an acknowledged value that is not there', [append(1, 0, 1)], []],
    ['doubled', 'a value that is there twice', [append(1, 0, 1)], [1, 1]],
    ['not failed', 'a value that was refused for certain and is there', [append(1, 0, 1, 'failed')], [1]],
    ['from nowhere', 'a value that nobody wrote', [append(1, 0, 1)], [1, 7]],
    [
      'order',
      'a value before one that was acknowledged before it was sent',
      [append(1, 0, 1), append(2, 2, 3)],
      [2, 1],
    ],
    ['stale read', 'a read without a value that was acknowledged before', [append(1, 0, 1), read([], 2, 3)], [1]],
    [
      'stale read',
      'a read that saw less than one that had ended before, though no write was answered yet',
      [append(1, 0, 100), read([1], 10, 20), read([], 21, 22)],
      [1],
    ],
    ['early read', 'a read of what was only sent after it', [append(1, 10, 11), read([1], 2, 3)], [1]],
    ['other content', 'a read of another list', [append(1, 0, 9), append(2, 0, 9), read([2], 5, 6)], [1, 2]],
    [
      'other content',
      'a read of more than was left',
      [append(1, 0, 1), append(2, 1, 2, 'unknown'), read([1, 2], 5, 6)],
      [1],
    ],
  ])('%s: %s', (kind, _, operations, list) => {
    expect(kinds(operations, final(list))).toEqual([kind]);
  });

  it('orders an append without an answer by what was seen of it', () => {
    const operations = [append(1, 0, 5, 'unknown'), read([1], 10, 11), append(2, 12, 13)];
    expect(kinds(operations, final([1, 2]))).toEqual([]);
    expect(kinds(operations, final([2, 1]))).toContain('other content');
  });
});

describe('a register', () => {
  it('is right when each value was in it for one stretch of time', () => {
    const operations = [
      read([], 0, 1),
      set(1, 2, 10),
      read([], 3, 4),
      read([], 5, 6, 1),
      set(2, 7, 20),
      set(3, 8, 21),
      read([], 11, 12, 1),
      read([], 13, 14, 3),
      read([], 22, 23, 2),
      set(4, 30, 31, 'unknown'),
      set(5, 30, 31, 'failed'),
    ];
    expect(check(operations, [final([], 2)])).toEqual([]);
    expect(check(operations, [final([], 4)])).toEqual([]);
  });

  it.each([
    ['a lost write', [set(1, 0, 1)], null],
    ['a value that nobody wrote', [set(1, 0, 1)], 9],
    ['a write that was refused for certain and is there', [set(1, 0, 1), set(2, 2, 3, 'failed')], 2],
    ['an older value after a newer one was acknowledged', [set(1, 0, 1), set(2, 2, 3), read([], 4, 5, 1)], 2],
    [
      'an older value after a newer one was read',
      [set(1, 0, 1), set(2, 2, 90), read([], 4, 5, 2), read([], 6, 7, 1)],
      2,
    ],
    [
      'a value that came back',
      [set(1, 0, 9), set(2, 0, 9), read([], 1, 2, 1), read([], 3, 4, 2), read([], 5, 6, 1)],
      1,
    ],
    ['a read of what was only sent after it', [set(1, 0, 1), read([], 2, 3, 2), set(2, 4, 5)], 2],
    [
      'a whole write within the time of another value',
      [set(1, 0, 1), set(2, 3, 4), read([], 2, 3, 1), read([], 6, 7, 1)],
      1,
    ],
  ])('is wrong: %s', (_, operations, last) => {
    const found = kinds(operations, final([], last));
    expect(found.length).toBeGreaterThan(0);
    expect(new Set(found)).toEqual(new Set(['register']));
  });
});

describe('a segment', () => {
  it('is wrong when it cannot be read in the end', () => {
    expect(check([append(1, 0, 1)], []).map(({ kind }) => kind)).toEqual(['not back']);
  });

  it('is wrong when nodes say different things in the end', () => {
    const one = final([1, 2]);
    const later = { ...final([1]), node: 'n2', startMs: 2_000, endMs: 2_001 };
    const found = check([append(1, 0, 1), append(2, 2, 3, 'unknown')], [one, later]);
    expect(found.map(({ kind }) => kind)).toEqual(['stale read']);
  });

  it('is wrong when a request that is sent again is answered otherwise', () => {
    const twice: Operation = {
      ...COMMON,
      kind: 'set',
      value: 1,
      startMs: 0,
      endMs: 1,
      outcome: 'ok',
      sequence: 7,
      again: 9,
    };
    expect(kinds([twice], final([], 1))).toEqual(['other answer']);
  });
});

it('a history in which a kind of operation never succeeded shows nothing', () => {
  const operations = [append(1, 0, 1), set(2, 0, 1, 'unknown'), read([1], 2, 3)];
  expect(checkWork(operations, ['s'])).toEqual([
    { segment: 's', kind: 'nothing done', message: 'no set was ever answered' },
  ]);
  expect(checkWork([...operations, set(3, 4, 5)], ['s'])).toEqual([]);
  expect(checkWork([], ['s'])).toHaveLength(3);
});
