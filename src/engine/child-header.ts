import { type Sqlite } from './child-database.ts';

/** The `application_id` in the file's header, a signed 32-bit number. */
export function applicationId(db: Sqlite): number {
  return Number(db.prepare<unknown[], bigint>('PRAGMA application_id').pluck().get() ?? 0n);
}

/** Part of the transaction that is open, when one is. */
export function setApplicationId(db: Sqlite, value: number): void {
  db.exec(`PRAGMA application_id = ${String(value)}`);
}

export function sqliteVersion(db: Sqlite): string {
  return db.prepare<unknown[], string>('SELECT sqlite_version()').pluck().get() ?? '';
}
