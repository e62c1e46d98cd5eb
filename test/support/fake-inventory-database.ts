import { type LocalDatabase, type LocalStatement, type SqlParams, type SqlValue } from '../../src/engine/engine.ts';
import { FakeGate } from './fake-gate.ts';

/** What the inventory asks of its database, over a map that outlives it: rows are what a restart would find. */
export class FakeInventoryDatabase implements LocalDatabase {
  readonly gate = new FakeGate();
  readonly rows: Map<string, readonly SqlValue[]>;

  constructor(rows = new Map<string, readonly SqlValue[]>()) {
    this.rows = rows;
  }

  async run(statements: readonly LocalStatement[]): Promise<void> {
    await this.gate.pass('run');
    for (const { sql, params, rows } of statements) {
      for (const values of rows ?? [params as readonly SqlValue[]]) {
        if (sql.startsWith('insert or replace into copies')) this.rows.set(String(values[0]), values);
        else if (sql.startsWith('delete from copies')) this.rows.delete(String(values[0]));
        else throw new Error(`not known to this fake: ${sql}`);
      }
    }
  }

  async all(sql: string, params: SqlParams = []): Promise<readonly (readonly SqlValue[])[]> {
    await this.gate.pass('all');
    if (sql.includes('json_each')) return this.#others(String((params as readonly SqlValue[])[0]));
    const id = String((params as readonly SqlValue[])[0]);
    if (/^select .* from copies where id = \?$/.test(sql))
      return [this.rows.get(id)].filter((row) => row !== undefined);
    if (!/^select id, version, size_bytes\b.* from copies where id > \?/.test(sql))
      throw new Error(`not known to this fake: ${sql}`);
    const ids = Array.from(this.rows.keys()).filter((other) => other > id);
    // Smaller pages than asked for: whoever reads them takes what it gets.
    const page = ids.sort().slice(0, 2);
    return page.flatMap((one) => [this.rows.get(one) ?? []]);
  }

  #others(json: string): readonly (readonly SqlValue[])[] {
    const asked = JSON.parse(json) as readonly (readonly [string, number, string])[];
    return asked
      .filter(([id, version, sha256]) => {
        const row = this.rows.get(id);
        return row !== undefined && Number(row[1]) === version && row[3] !== sha256;
      })
      .map(([id]) => [id]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}
