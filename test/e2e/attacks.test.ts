import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Attack,
  ENDLESS,
  LARGE_VALUES,
  LONG_STATEMENTS,
  MEMORY,
  otherFiles,
  PRAGMAS,
  SEVERAL_STATEMENTS,
  TRANSACTIONS,
  WRITING,
} from '../support/attack-list.ts';
import { attackTarget, type AttackTarget } from '../support/attack-target.ts';
import { eventually } from '../support/eventually.ts';

const DEADLINE_MS = 3_000;
/** Where the list needs the names of the files, before they are known. */
const OTHER = '<other>';
const SECRET = '<secret>';

let target: AttackTarget;
let files: Record<string, string>;
let processes: number;
/** Processes that are started when they are first needed: for queries beside others, for long ones, for checks. */
const MORE_PROCESSES = 6;

const noMoreProcesses = (): Promise<boolean> =>
  eventually('no more processes than there should be', async () => {
    return (await target.processes()) <= processes + MORE_PROCESSES;
  });

beforeAll(async () => {
  target = await attackTarget('--query-deadline', `${String(DEADLINE_MS)}ms`);
  expect(await target.brokenSegments()).toEqual([]);
  files = await target.files();
  processes = await target.processes();
  expect(Object.keys(files).filter((name) => name.endsWith('.sqlite')).length).toBeGreaterThanOrEqual(3);
});

afterAll(async () => {
  await target[Symbol.asyncDispose]();
});

/** Refused on every face, and nothing has come of it. */
async function withstands(attack: Attack): Promise<void> {
  const here = (text: string): string => text.replaceAll(OTHER, target.other).replaceAll(SECRET, target.secret);
  const params = attack.params?.map((value) => (typeof value === 'string' ? here(value) : value));
  const real = { ...attack, sql: here(attack.sql), ...(params === undefined ? {} : { params }) };
  expect(await target.wrongAnswers(real)).toEqual([]);
  expect(await target.brokenSegments()).toEqual([]);
  expect(await target.files()).toEqual(files);
}

function cases(attacks: readonly Attack[]): { name: string; attack: Attack }[] {
  return attacks.map((attack) => ({ name: attack.title ?? JSON.stringify(attack.sql), attack }));
}

describe.each([
  ['reaching another file', otherFiles(OTHER, SECRET)],
  ['reaching the memory of the process', MEMORY],
  ['leaving or opening a transaction', TRANSACTIONS],
  ['a PRAGMA, open or hidden, or its table function', PRAGMAS],
  ['more than one statement, or none', SEVERAL_STATEMENTS],
  ['writing anything', WRITING],
  ['a statement beyond the limits of SQLite', LONG_STATEMENTS],
  ['a value or a pattern beyond the limits', LARGE_VALUES],
])('%s is refused on every face, and changes nothing', (_, attacks) => {
  it.each(cases(attacks))('$name', ({ attack }) => withstands(attack));
});

describe('a query without end is stopped by its deadline, on every face, and its processes are replaced', () => {
  it.each(cases(ENDLESS))('$name', async ({ attack }) => {
    await withstands(attack);
    await noMoreProcesses();
  });
});

it('has kept no secret in the log and lost no process', async () => {
  expect(target.run.log()).not.toContain('the secret');
  await noMoreProcesses();
});
