import { type Attack } from './attack-list.ts';

/** What the processes of a node may take where the bombs are tried. */
export const BOMB_MEMORY = '100MB';

function counting(rows: number, value: string): string {
  return `with recursive c(x) as (select 1 union all select x + 1 from c where x < ${String(rows)}) select ${value} as t from c`;
}

const LONG_TEXTS = counting(150_000, "printf('%01000d', x)");
const TEXTS = counting(300, "printf('%02000d', x)");

/** Each needs more memory than that, and less than a second or two to ask for it. */
export const MEMORY_BOMBS: readonly Attack[] = [
  ['a zeroblob', "select length(zeroblob(400000000) || x'00')"],
  ['many large values in one row', `select ${Array.from({ length: 40 }, () => 'hex(zeroblob(10000000))').join()}`],
  ['replace', "select length(replace(hex(zeroblob(1000000)), '0', hex(zeroblob(150))))"],
  ['nested replace', `select length(${'replace('.repeat(9)}'0'${", '0', '0000000000')".repeat(9)})`],
  ['printf', "select length(printf('%.*c', 400000000, 'x'))"],
  ['group_concat', `select length(group_concat(t)) from (${LONG_TEXTS})`],
  ['a JSON array', `select length(json_group_array(t)) from (${LONG_TEXTS})`],
  [
    'a join of recursive tables, put into one text',
    `select length(group_concat(a.t || b.t)) from (${TEXTS}) a, (${TEXTS}) b`,
  ],
  [
    'a recursion that doubles its text',
    "with recursive c(t) as (select 'x' union all select t || t from c) select max(length(t)) from c",
  ],
].map(([title = '', sql = '']) => ({ title, sql, code: 'ENGINE_MEMORY', words: 'engineMemory' }));

/** Larger than the memory, and answered all the same: SQLite sorts in files. */
export const LARGE_SORT = {
  sql: `select count(*) as n, min(t) as first from (select t from (${counting(5_000_000, 'x')}) order by t desc limit -1 offset 1)`,
  answer: [{ n: 4_999_999, first: 1 }],
};
