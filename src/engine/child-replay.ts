import { TroughError } from '../errors.ts';
import { appliedMark } from '../model/applied-mark.ts';
import { type Sqlite } from './child-database.ts';
import { setApplicationId, sqliteVersion } from './child-header.ts';
import { type RequestRunner } from './child-transaction.ts';
import { type WireOutcome, type WireRecord, type WireResult } from './messages.ts';

/** See `WriteSession.replay`. Whatever happens, no transaction is left open. */
export function replayRecords(db: Sqlite, runner: RequestRunner, records: readonly WireRecord[]): void {
  const last = records.at(-1);
  if (last === undefined) return;
  const version = sqliteVersion(db);
  for (const record of records) refuseOther(record, version);
  runner.begin();
  try {
    for (const { sequence, writes } of records) {
      for (const [index, write] of writes.entries()) {
        const difference = differenceOf(write.results, runner.run(write));
        if (difference !== undefined) throw differs(sequence, index, difference);
      }
    }
    setApplicationId(db, appliedMark(last.sequence));
    runner.commit();
  } catch (error) {
    if (db.inTransaction) runner.rollback();
    throw error;
  }
}

function refuseOther({ sequence, sqliteVersion: written }: WireRecord, here: string): void {
  if (written === here) return;
  const message = `record ${String(sequence)} was written by SQLite ${written} and cannot be replayed by ${here}`;
  throw new TroughError('REPLAY_OTHER_SQLITE', message, { sequence, written, here });
}

/** What is not as it was recorded, in words. */
function differenceOf(recorded: readonly WireResult[], outcome: WireOutcome): string | undefined {
  if (!outcome.ok) return `it failed: ${outcome.error.message}`;
  const { results } = outcome;
  if (results.length !== recorded.length) {
    return `it has ${String(results.length)} statements in place of ${String(recorded.length)}`;
  }
  for (const [index, { changes, lastInsertRowid }] of results.entries()) {
    const before = recorded[index];
    if (changes === before?.changes && lastInsertRowid === before.lastInsertRowid) continue;
    const told = `${String(changes)} rows up to row ${lastInsertRowid}`;
    const expected = `${String(before?.changes)} up to row ${String(before?.lastInsertRowid)}`;
    return `its statement ${String(index + 1)} changed ${told} in place of ${expected}`;
  }
  return undefined;
}

function differs(sequence: number, index: number, difference: string): TroughError {
  const message = `write ${String(index + 1)} of record ${String(sequence)} went otherwise than when it was recorded: ${difference}`;
  return new TroughError('REPLAY_DIFFERS', message, { sequence, write: index + 1 });
}
