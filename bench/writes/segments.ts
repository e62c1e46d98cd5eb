import { provisionAll } from '../../test/support/api.ts';
import { type TroughRun } from '../../test/support/trough-process.ts';
import { post } from '../support/http-load.ts';

/** Of the text of one row. */
export const ROW_BYTES = 300;
const TABLE = 'create table t (id integer primary key, body text)';
/** One durable insert. */
export const INSERT = `insert into t (body) values ('${'x'.repeat(ROW_BYTES)}')`;

/** So many new segments with an empty table, open for writing on the node. */
export async function writable(node: TroughRun, count: number): Promise<readonly string[]> {
  const names = Array.from({ length: count }, (_, index) => `w${String(index).padStart(6, '0')}`);
  await provisionAll(node, names, TABLE);
  return names;
}

/** Its request by the original's write port. */
export function insert(segment: string): Buffer {
  return post(`/?segment=${segment}`, INSERT);
}

export function writeUrl({ ready }: TroughRun, segment: string): string {
  return `${ready.urls.write ?? ''}?segment=${segment}`;
}
