import { closeSync, openSync } from 'node:fs';
import { openDatabase, type Sqlite } from '../../../src/engine/child-database.ts';
import { RequestRunner } from '../../../src/engine/child-transaction.ts';
import { type WireOutcome, type WireStamp, type WireStatement, type WireWrite } from '../../../src/engine/messages.ts';
import { STAMP } from '../../support/stamped.ts';

/** What a writer child has of one segment, in this process. */
export class OpenWriter implements Disposable {
  readonly db: Sqlite;
  readonly runner: RequestRunner;

  constructor(file = ':memory:') {
    if (file !== ':memory:') closeSync(openSync(file, 'a'));
    this.db = openDatabase(file, { readonly: false, busyMs: 0 });
    this.runner = new RequestRunner(this.db);
  }

  /** One group of scripts, committed. */
  write(...scripts: readonly string[]): string[] {
    return this.commit(scripts.map((sql) => wireScript(sql)));
  }

  commit(writes: readonly WireWrite[]): string[] {
    const outcomes = this.runner.apply(writes);
    this.runner.commit();
    return outcomes.map(saidOf);
  }

  rows(sql: string): unknown[] {
    return this.db.prepare<unknown[], unknown[]>(sql).raw().all();
  }

  [Symbol.dispose](): void {
    this.db.close();
  }
}

export function wireScript(sql: string, stamp: Partial<WireStamp> = {}): WireWrite {
  const { timeMs, seed } = { ...STAMP, ...stamp };
  return { timeMs, seed, request: { kind: 'script', sql } };
}

export function wireStatements(statements: readonly WireStatement[], stamp: Partial<WireStamp> = {}): WireWrite {
  const { timeMs, seed } = { ...STAMP, ...stamp };
  return { timeMs, seed, request: { kind: 'statements', statements } };
}

export function saidOf(outcome: WireOutcome): string {
  return outcome.ok ? 'ok' : outcome.error.message;
}
