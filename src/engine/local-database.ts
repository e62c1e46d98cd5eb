import { type SqlParams, type SqlValue } from '../model/sql-types.ts';
import { type LocalDatabase, type LocalStatement } from './engine.ts';
import { type WireLocalStatement, type WireStatement } from './messages.ts';
import { type ServiceChild } from './service-child.ts';
import { packParams, packValue, unpackValue } from './wire-values.ts';

/** A database of trough itself, by its handle in the child that holds them all. When that child dies it is opened again by the next call. */
export class ChildLocalDatabase implements LocalDatabase {
  readonly #child: ServiceChild;
  readonly #file: string;
  readonly #migrations: readonly string[];
  #handle: Promise<number> | undefined;

  constructor(child: ServiceChild, file: string, migrations: readonly string[]) {
    this.#child = child;
    this.#file = file;
    this.#migrations = migrations;
  }

  async open(): Promise<void> {
    await this.#opened();
  }

  async run(statements: readonly LocalStatement[]): Promise<void> {
    const handle = await this.#opened();
    await this.#child.call('runLocal', { handle, statements: statements.map(packAll) });
  }

  async all(sql: string, params?: SqlParams): Promise<readonly (readonly SqlValue[])[]> {
    const handle = await this.#opened();
    const rows = await this.#child.call('allLocal', { handle, ...pack({ sql, params }) });
    return rows.map((row) => row.map(unpackValue));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const handle = await this.#handle;
    this.#handle = undefined;
    if (handle !== undefined) await this.#child.call('closeLocal', { handle });
  }

  #opened(): Promise<number> {
    this.#handle ??= this.#openAnew();
    return this.#handle;
  }

  async #openAnew(): Promise<number> {
    try {
      const opening = this.#child.call(
        'openLocal',
        { file: this.#file, migrations: this.#migrations },
        { isRepeatable: true },
      );
      this.#child.onGone(() => {
        this.#handle = undefined;
      });
      return (await opening).handle;
    } catch (error) {
      this.#handle = undefined;
      throw error;
    }
  }
}

function packAll({ rows, ...statement }: LocalStatement): WireLocalStatement {
  return { ...pack(statement), rows: rows?.map((row) => row.map(packValue)) };
}

function pack({ sql, params }: { readonly sql: string; readonly params?: SqlParams | undefined }): WireStatement {
  return { sql, params: params === undefined ? undefined : packParams(params) };
}
