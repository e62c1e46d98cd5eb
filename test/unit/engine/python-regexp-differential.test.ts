import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { compilePythonRegexp } from '../../../src/engine/python-regexp.ts';
import { RegexpGenerator } from './python-regexp-generator.ts';

const PATTERNS = 6_000;
const TEXTS = 8;

const PROGRAM = `
import json, re, sys, warnings
warnings.simplefilter('ignore')
answers = []
for pattern, texts in json.load(sys.stdin):
    try:
        found = re.compile(pattern)
        answers.append([1 if found.search(text) else 0 for text in texts])
    except Exception as error:
        answers.append(str(error))
json.dump(answers, sys.stdout)
`;

type Case = readonly [pattern: string, texts: readonly string[]];

/** For each case what Python finds, or its error; undefined where there is no Python of the version that the lists were made with. */
function askPython(cases: readonly Case[]): readonly (string | number[])[] | undefined {
  const options = { encoding: 'utf8', maxBuffer: 2 ** 28 } as const;
  if (spawnSync('python3', ['-c', 'import sys; assert (3, 11) <= sys.version_info < (3, 14)'], options).status !== 0)
    return undefined;
  const run = spawnSync('python3', ['-c', PROGRAM], { ...options, input: JSON.stringify(cases) });
  expect(run.stderr).toBe('');
  return JSON.parse(run.stdout) as (string | number[])[];
}

function ours([pattern, texts]: Case): number[] | string {
  try {
    const compiled = compilePythonRegexp(pattern);
    return texts.map((text) => (compiled.test(text) ? 1 : 0));
  } catch (error) {
    return String(error);
  }
}

test('what is not refused finds exactly what Python finds, over thousands of patterns', (context) => {
  const generator = new RegexpGenerator(20_260_727);
  const cases = Array.from({ length: PATTERNS }, (): Case => {
    const pattern = generator.pattern();
    return [pattern, Array.from({ length: TEXTS }, () => generator.text())];
  });
  const python = askPython(cases);
  if (python === undefined) {
    context.skip('there is no python3 of 3.11 to 3.13');
    return;
  }
  const different: unknown[] = [];
  let same = 0;
  let refusedHereAlone = 0;
  for (const [index, one] of cases.entries()) {
    const answer = ours(one);
    const truth = python[index];
    if (typeof answer === 'string') refusedHereAlone += typeof truth === 'string' ? 0 : 1;
    else if (typeof truth !== 'string' && String(answer) === String(truth)) same += 1;
    else if (truth !== 'look-behind requires fixed-width pattern') different.push([one, answer, truth]);
  }
  expect(different.slice(0, 20)).toEqual([]);
  expect(same).toBeGreaterThan(PATTERNS / 3);
  expect(refusedHereAlone).toBeLessThan(same / 5);
});
