import { describe, expect, it } from 'vitest';
import { growth, type Window } from '../../../bench/support/growth.ts';
import { isChosen, planFrom } from '../../../bench/support/plan.ts';
import { renderTable, Samples } from '../../../bench/support/samples.ts';

describe('the table', () => {
  it('shows medians over the rounds, ratios to each baseline and the spread', () => {
    const samples = new Samples();
    for (const value of [100, 300, 200]) samples.add({ line: 'points', figure: 'answers/s', system: 'trough', value });
    for (const value of [400, 800]) samples.add({ line: 'points', figure: 'answers/s', system: 'L1', value });
    samples.add({ line: 'points', figure: 'p99 ms', system: 'trough', value: 1.25 });
    expect(renderTable(samples.rows()).split('\n')).toEqual([
      '| line | figure | trough | L1 | x L1 | spread | rounds |',
      '| --- | --- | --- | --- | --- | --- | --- |',
      '| points | answers/s | 200 | 600 | 0.33 | 100 % | 3 |',
      '| points | p99 ms | 1.25 |  |  | 0 % | 1 |',
    ]);
  });
});

describe('the plan', () => {
  it('takes lines by their names or by the beginnings of these, all when none is named', () => {
    const plan = planFrom({ BENCH_LINES: 'points, rows-1000' });
    const lines = ['points-1', 'points-live-64', 'rows-1000', 'stream', 'point'];
    expect(lines.filter((line) => isChosen(line, plan))).toEqual(['points-1', 'points-live-64', 'rows-1000']);
    expect(lines.every((line) => isChosen(line, planFrom({})))).toBe(true);
  });

  it.each(['0', '-1', 'many', 'Infinity'])('refuses BENCH_ROUNDS=%s', (given) => {
    expect(() => planFrom({ BENCH_ROUNDS: given })).toThrow('BENCH_ROUNDS');
  });
});

describe('growth over a soak', () => {
  const windows = (rssMiB: readonly number[], fds: readonly number[], failed = 0): readonly Window[] =>
    rssMiB.map((rss, index) => ({ minute: index, perSecond: 1, failed, rssMiB: rss, fds: fds[index] ?? NaN }));
  const failing = (of: readonly Window[]): readonly string[] =>
    growth(of).flatMap(({ ok, sentence }) => (ok ? [] : [sentence.replace(/:.*/, '')]));

  it('is none when figures only go up and down', () => {
    expect(failing(windows([500, 520, 490, 510, 500, 530], [900, 901, 899, 902, 900, 901]))).toEqual([]);
  });

  it('is found in memory, in open files and in failed requests', () => {
    expect(failing(windows([500, 520, 540, 560, 580, 600], [900, 900, 900, 900, 900, 900]))).toEqual([
      'RSS of all processes, MiB',
    ]);
    expect(failing(windows([500, 500, 500, 500, 500, 500], [900, 920, 940, 960, 980, 1_000]))).toEqual(['open fds']);
    expect(failing(windows([500, 500, 500], [900, 900, 900], 1))).toEqual(['failed requests']);
  });

  it('cannot be judged from two windows', () => {
    expect(() => growth(windows([500, 500], [900, 900]))).toThrow('too few');
  });
});
