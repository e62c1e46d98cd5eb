import { bindValue, type Column, readField, TypeFinder } from './column-types.ts';
import { type ColumnType } from './import-options.ts';
import { type BoundValue, type RawRow } from './import-row.ts';
import { TroughError } from '../../errors.ts';
import { UsageError } from '../usage-error.ts';

export type Shaped = { readonly values: readonly BoundValue[] } | { readonly bad: string };

/** SQLite's own limit on the columns of a table. */
const MOST_COLUMNS = 2_000;

/** Turns raw rows into values in the order of the columns. */
export class RowShaper {
  readonly columns: readonly Column[];
  readonly #names: ReadonlySet<string>;

  constructor(columns: readonly Column[]) {
    this.columns = columns;
    this.#names = new Set(columns.map(({ name }) => name));
  }

  shape(row: RawRow): Shaped {
    return row.kind === 'fields' ? this.#shapeFields(row.fields) : this.#shapeObject(row.object);
  }

  #shapeFields(fields: readonly string[]): Shaped {
    if (fields.length !== this.columns.length) {
      return { bad: `has ${String(fields.length)} fields, the header has ${String(this.columns.length)}` };
    }
    return this.#bind(
      (_, at) => readField(fields[at] ?? ''),
      (at) => fields[at],
    );
  }

  #shapeObject(object: Readonly<Record<string, unknown>>): Shaped {
    for (const key of Object.keys(object)) {
      if (!this.#names.has(key))
        return { bad: `has a key '${key}' that no column was made for; name it with --types ${key}=TEXT` };
    }
    return this.#bind(
      ({ name }) => (Object.hasOwn(object, name) ? object[name] : null),
      () => undefined,
    );
  }

  #bind(read: (column: Column, at: number) => unknown, written: (at: number) => string | undefined): Shaped {
    const values: BoundValue[] = [];
    for (const [at, column] of this.columns.entries()) {
      const bound = bindValue(read(column, at), column, written(at));
      if ('bad' in bound) return bound;
      values.push(bound.value);
    }
    return { values };
  }
}

/** The columns of a CSV: its header's, with the types of the first rows. */
export function columnsOfFields(
  header: readonly string[],
  sample: readonly (readonly string[])[],
  types: Readonly<Record<string, ColumnType>>,
): Column[] {
  const names = header.map((name, at) => (name.trim() === '' ? `column_${String(at + 1)}` : name.trim()));
  const finders = names.map(() => new TypeFinder());
  for (const fields of sample) {
    for (const [at, finder] of finders.entries()) finder.add(readField(fields[at] ?? ''), fields[at]);
  }
  return finish(
    names.map((name, at) => [name, finders[at] ?? new TypeFinder()]),
    types,
  );
}

/** The columns of JSON objects: every key of the first ones, in the order in which they appear, then those that types are given for. */
export function columnsOfObjects(
  sample: readonly Readonly<Record<string, unknown>>[],
  types: Readonly<Record<string, ColumnType>>,
): Column[] {
  const finders = new Map<string, TypeFinder>();
  const finderOf = (name: string): TypeFinder => {
    const finder = finders.get(name) ?? new TypeFinder();
    finders.set(name, finder);
    return finder;
  };
  for (const object of sample) for (const [name, value] of Object.entries(object)) finderOf(name).add(value);
  for (const name of Object.keys(types)) finderOf(name);
  return finish([...finders], types);
}

function finish(
  found: readonly (readonly [string, TypeFinder])[],
  types: Readonly<Record<string, ColumnType>>,
): Column[] {
  const seen = new Set<string>();
  for (const [name] of found) {
    const folded = name.toLowerCase();
    if (seen.has(folded))
      throw new TroughError(
        'IMPORT_FAILED',
        `two columns are named '${name}' (SQLite does not tell upper from lower case)`,
      );
    seen.add(folded);
  }
  if (found.length > MOST_COLUMNS)
    throw new TroughError(
      'IMPORT_FAILED',
      `${String(found.length)} columns are more than SQLite takes (${String(MOST_COLUMNS)})`,
    );
  const unknown = Object.keys(types).find((name) => !found.some(([known]) => known === name));
  if (unknown !== undefined)
    throw new UsageError(
      `--types: there is no column '${unknown}'; the columns are ${found.map(([name]) => name).join(', ')}`,
    );
  return found.map(([name, finder]) => {
    const given = types[name];
    return { name, type: given ?? finder.type, isGiven: given !== undefined };
  });
}
