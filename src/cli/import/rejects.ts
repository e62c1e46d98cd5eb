import { type FileHandle, open } from 'node:fs/promises';
import { TroughError } from '../../errors.ts';
import { formatExactJson } from '../../model/exact-json.ts';
import { type BoundValue, type RawRow } from './import-row.ts';

const SHOWN = 10;

export interface Reject {
  readonly line: number;
  readonly reason: string;
  readonly raw: string | RawRow;
}

/**
 * Bad rows, in a file of the source's own kind: a CSV has one more field at the end, the reason; JSON comes as lines of
 * `{"line","reason","row"}`. The file is made with the first of them. The first ten are kept to be shown.
 */
export class Rejects implements AsyncDisposable {
  readonly path: string;
  readonly shown: Reject[] = [];
  readonly #names: readonly string[];
  /** Of a CSV; absent: the source is JSON. */
  readonly #delimiter: string | undefined;
  #file: FileHandle | undefined;
  #count = 0;
  #turn: Promise<void> = Promise.resolve();

  constructor(path: string, names: readonly string[], delimiter: string | undefined) {
    this.path = path;
    this.#names = names;
    this.#delimiter = delimiter;
  }

  get count(): number {
    return this.#count;
  }

  add(reject: Reject): Promise<void> {
    this.#count += 1;
    if (this.shown.length < SHOWN) this.shown.push(reject);
    const turn = this.#turn.then(() => this.#write(reject));
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** A row that was ready to be written. */
  addBound(line: number, reason: string, values: readonly BoundValue[]): Promise<void> {
    const raw: RawRow =
      this.#delimiter === undefined
        ? { kind: 'object', object: Object.fromEntries(this.#names.map((name, at) => [name, values[at]])) }
        : { kind: 'fields', fields: values.map((value) => (value === null ? '' : String(value))) };
    return this.add({ line, reason, raw });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turn;
    await this.#file?.close();
  }

  async #write(reject: Reject): Promise<void> {
    try {
      if (this.#file === undefined) {
        this.#file = await open(this.path, 'w');
        if (this.#delimiter !== undefined)
          await this.#file.writeFile(csvLine([...this.#names, 'reason'], this.#delimiter));
      }
      await this.#file.writeFile(this.#format(reject));
    } catch (error) {
      throw new TroughError(
        'IMPORT_FAILED',
        `the bad rows cannot be written to ${this.path}: ${TroughError.from(error).message}`,
        {},
        error,
      );
    }
  }

  #format({ line, reason, raw }: Reject): string {
    if (this.#delimiter === undefined) {
      const row = typeof raw === 'string' ? raw : raw.kind === 'object' ? raw.object : raw.fields;
      return `${formatExactJson({ line, reason, row })}\n`;
    }
    const fields = typeof raw === 'string' ? [raw] : raw.kind === 'fields' ? raw.fields : [formatExactJson(raw.object)];
    return csvLine([...fields, `line ${String(line)}: ${reason}`], this.#delimiter);
  }
}

function csvLine(fields: readonly string[], delimiter: string): string {
  const quoted = fields.map((field) =>
    /["\r\n]/.test(field) || field.includes(delimiter) ? `"${field.replaceAll('"', '""')}"` : field,
  );
  return `${quoted.join(delimiter)}\n`;
}
