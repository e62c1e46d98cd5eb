import { type Database } from 'better-sqlite3';

/** As many as a query process of trough keeps by default. */
const MOST = 500;

/** Databases that stay open, the least recently used one closed for a new one. */
export class OpenFiles {
  readonly #open: (segment: string) => Database;
  readonly #databases = new Map<string, Database>();

  constructor(open: (segment: string) => Database) {
    this.#open = open;
  }

  of(segment: string): Database {
    const known = this.#databases.get(segment);
    const database = known ?? this.#open(segment);
    this.#databases.delete(segment);
    this.#databases.set(segment, database);
    if (known === undefined && this.#databases.size > MOST) this.#closeOldest();
    return database;
  }

  closeAll(): void {
    for (const database of this.#databases.values()) database.close();
    this.#databases.clear();
  }

  #closeOldest(): void {
    for (const [segment, database] of this.#databases) {
      database.close();
      this.#databases.delete(segment);
      return;
    }
  }
}
