import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ACCEPTED, ACCEPTED_SCHEMA, ACCEPTED_SHAPES } from '../support/accepted-sql.ts';
import { KNOWN, requestTarget, type RequestTarget, statement } from '../support/request-target.ts';

let target: RequestTarget;

beforeAll(async () => {
  target = await requestTarget();
  await target.write(`?segment=${KNOWN}`, { body: 'drop table t' });
  for (const sql of ACCEPTED_SCHEMA.split(';\n')) {
    const { status, text } = await target.write(`v1/segments/${KNOWN}/write`, statement(sql));
    if (status !== 200) throw new Error(`${sql}: ${text}`);
  }
});

afterAll(async () => {
  await target[Symbol.asyncDispose]();
});

const TABLE = Object.entries(ACCEPTED).flatMap(([what, all]) => all.map((each) => ({ what, ...each })));

function everywhere(): void {
  test.each(TABLE)('$what: $sql', async ({ sql, columns, rows }) => {
    const v1 = await target.read(`v1/segments/${KNOWN}/query`, { json: { sql } });
    expect(v1.text).toContain('"rows"');
    const answer = JSON.parse(v1.text) as { columns: string[]; rows: unknown[][] };
    expect([answer.columns, answer.rows]).toEqual([columns, rows]);
    const legacy = await target.read(`?segment=${KNOWN}`, { body: sql });
    const objects = rows.map((row): unknown => Object.fromEntries(row.map((value, index) => [columns[index], value])));
    expect([legacy.status, legacy.type, JSON.parse(legacy.text) as unknown]).toEqual([
      200,
      'application/json',
      objects,
    ]);
    expect((await target.overNats(`query.${KNOWN}`, sql)).text).toBe(legacy.text);
  });

  test.each(ACCEPTED_SHAPES)('%s', async (sql) => {
    const v1 = await target.read(`v1/segments/${KNOWN}/query`, { json: { sql } });
    expect([v1.status, (JSON.parse(v1.text) as { rows: unknown[] }).rows.length > 0]).toEqual([200, true]);
    const legacy = await target.read(`?segment=${KNOWN}`, { body: sql });
    expect([legacy.status, (JSON.parse(legacy.text) as unknown[]).length > 0]).toEqual([200, true]);
  });
}

describe('a segment that is being written answers', everywhere);

describe('a copy answers', () => {
  beforeAll(async () => {
    const { status, text } = await target.manager(`v1/segments/${KNOWN}/release`, { method: 'POST' });
    if (status !== 200) throw new Error(text);
  });
  everywhere();
});
