import { z } from 'zod';
import { TroughError } from '../../errors.ts';
import { PromoteAnswer, ProvisionAnswer } from '../../messages/control.ts';
import { type Client } from '../client.ts';
import { COPY_TIMEOUT_MS, MANAGE_TIMEOUT_MS, segmentPath } from '../verbs/verb.ts';
import { type Column } from './column-types.ts';
import { guardedInsert, quoteName } from './import-sql.ts';
import { type BoundValue } from './import-row.ts';

const WRITE_TIMEOUT_MS = 600_000;
/** Rows of a table without rowids can only be counted, which takes the longer the more there are. */
const MARKS = ['ifnull(max(rowid), 0)', 'count(*)'] as const;

const Int = z.union([z.int(), z.bigint()]);
const CountAnswer = z.object({ rows: z.tuple([z.tuple([z.int(), Int])]) });
const InsertAnswer = z.object({ results: z.tuple([z.object({ changes: z.int(), lastInsertRowid: Int })]) });

export interface TableState {
  readonly rows: number;
  /** The guard of the next batch and its present value. */
  readonly mark: string;
  readonly value: number | bigint;
}

export interface TableOptions {
  readonly client: Client;
  readonly table: string;
  readonly columns: readonly Column[];
  readonly schema: string;
  /** For a segment that exists already and may lack the table; absent: the schema is the user's, and so is the table. */
  readonly createSql: string | undefined;
}

/** The requests of an import, each made once: provision, count, insert, promote. */
export class SegmentTable {
  readonly #options: TableOptions;

  constructor(options: TableOptions) {
    this.#options = options;
  }

  /** Makes the segment writable, with the table in it; the table's state when that is known from it. */
  async open(segment: string): Promise<TableState | undefined> {
    const { client, schema, createSql } = this.#options;
    const path = segmentPath(segment, '/provision');
    const call = { face: 'manager', method: 'POST', path, body: { schema }, timeoutMs: MANAGE_TIMEOUT_MS } as const;
    const { created } = await client.json(call, ProvisionAnswer);
    if (createSql === undefined) return undefined;
    if (created) return { rows: 0, mark: MARKS[0], value: 0 };
    await this.#write(segment, { script: createSql }, z.unknown());
    return undefined;
  }

  async state(segment: string): Promise<TableState> {
    const [first, second] = MARKS;
    try {
      return await this.#count(segment, first);
    } catch (error) {
      const known = TroughError.from(error);
      if (known.kind === 'input' && /no such column: rowid/i.test(known.message)) return this.#count(segment, second);
      throw known;
    }
  }

  /** All rows or none; 0 when the guard did not hold. */
  async insert(
    segment: string,
    rows: readonly (readonly BoundValue[])[],
    { mark, value }: TableState,
  ): Promise<{ inserted: number; lastRowid: number | bigint }> {
    const statement = guardedInsert(this.#options.table, this.#options.columns, rows, { mark, expected: value });
    const { results } = await this.#write(segment, { statements: [statement] }, InsertAnswer);
    return { inserted: results[0].changes, lastRowid: results[0].lastInsertRowid };
  }

  async promote(segment: string): Promise<void> {
    const path = segmentPath(segment, '/promote');
    await this.#options.client.json(
      { face: 'manager', method: 'POST', path, body: {}, timeoutMs: COPY_TIMEOUT_MS },
      PromoteAnswer,
    );
  }

  async #count(segment: string, mark: string): Promise<TableState> {
    const { client, table } = this.#options;
    const body = { sql: `select count(*), ${mark} from ${quoteName(table)}`, consistency: 'strong' };
    const call = {
      face: 'read',
      method: 'POST',
      path: segmentPath(segment, '/query'),
      body,
      timeoutMs: WRITE_TIMEOUT_MS,
    } as const;
    const [[rows, value]] = (await client.json(call, CountAnswer)).rows;
    return { rows, mark, value };
  }

  async #write<T>(segment: string, body: unknown, shape: z.ZodType<T>): Promise<T> {
    const call = {
      face: 'write',
      method: 'POST',
      path: segmentPath(segment, '/write'),
      body,
      timeoutMs: WRITE_TIMEOUT_MS,
    } as const;
    return this.#options.client.json(call, shape);
  }
}
