import { mkdir, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { coldPath } from '../../src/model/cold-path.ts';
import { parseSegmentId } from '../../src/model/segment-id.ts';
import { attackTarget, type AttackTarget } from '../support/attack-target.ts';
import { endlessTree, overwrite, PAGE_BYTES, pageOf, soundSegment } from '../support/crafted-segments.ts';
import { eventually } from '../support/eventually.ts';
import { httpCall } from '../support/http-call.ts';

let target: AttackTarget;
let processes: number;

beforeAll(async () => {
  target = await attackTarget();
  processes = await target.processes();
});

afterAll(async () => {
  await target[Symbol.asyncDispose]();
});

const DAMAGED = { status: 500, code: 'SEGMENT_DAMAGED' };
const ROWS = 'select count(*) as n from t';

interface Planted {
  readonly name: string;
  readonly make: (file: string) => void | Promise<void>;
  readonly sql: string;
  readonly answer: { readonly status: number; readonly code?: string };
}

/** Somebody who may write to cold storage has put a file there, and somebody asks for it. */
const PLANTED: readonly Planted[] = [
  { name: 'sound', make: soundSegment, sql: ROWS, answer: { status: 200 } },
  { name: 'text', make: (file) => writeFile(file, 'no database, '.repeat(900)), sql: ROWS, answer: DAMAGED },
  {
    name: 'half',
    make: async (file) => {
      soundSegment(file);
      await truncate(file, 100 * PAGE_BYTES);
    },
    sql: ROWS,
    answer: DAMAGED,
  },
  {
    name: 'broken-page',
    make: (file) => {
      soundSegment(file);
      overwrite(file, pageOf(file, 't', 'leafTable'), 0, [255, 255, 255, 255, 255]);
    },
    sql: ROWS,
    answer: DAMAGED,
  },
  { name: 'endless-tree', make: endlessTree, sql: 'select count(*) from endless', answer: DAMAGED },
  {
    name: 'attaching-schema',
    make: (file) => {
      soundSegment(file, "update sqlite_schema set sql = 'attach ''other'' as o' where name = 't'");
    },
    sql: ROWS,
    answer: DAMAGED,
  },
  {
    name: 'loading-view',
    make: (file) => {
      soundSegment(file, "create view v as select load_extension('x')");
    },
    sql: 'select * from v',
    answer: { status: 400, code: 'SQL_REFUSED' },
  },
  {
    name: 'telling-view',
    make: (file) => {
      soundSegment(file, 'create view v as select * from pragma_database_list');
    },
    sql: 'select * from v',
    answer: { status: 400, code: 'SQL_REFUSED' },
  },
  {
    name: 'endless-view',
    make: (file) => {
      soundSegment(
        file,
        'create view v as with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c',
      );
    },
    sql: 'select * from v',
    answer: { status: 504, code: 'ENGINE_DEADLINE' },
  },
];

it.each(PLANTED)(
  'a planted file, $name, is answered for what it is, while other segments are read as before',
  async ({ name, make, sql, answer }) => {
    const file = join(target.coldDir, coldPath(parseSegmentId(name)));
    await mkdir(dirname(file), { recursive: true });
    await make(file);
    const deadlineMs = answer.code === 'ENGINE_DEADLINE' ? 2_000 : 30_000;
    const asked = httpCall(target.run.ready.urls.read, `v1/segments/${name}/query`, { json: { sql, deadlineMs } });
    expect(await target.brokenSegments()).toEqual([]);
    expect(await asked).toMatchObject(answer);
    expect(await target.brokenSegments()).toEqual([]);
  },
);

it('no process was lost or left, and the check of files goes on', async () => {
  // The process that checks files is started by the first of them, others by queries beside others.
  await eventually('no more processes than there should be', async () => (await target.processes()) <= processes + 6);
  const again = await httpCall(target.run.ready.urls.read, 'v1/segments/sound/query', { json: { sql: ROWS } });
  expect(again).toMatchObject({ status: 200 });
});
