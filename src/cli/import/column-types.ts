import { formatExactJson } from '../../model/exact-json.ts';
import { type ColumnType } from './import-options.ts';
import { type BoundValue } from './import-row.ts';

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  /** By the user, not found in the data: a value that does not fit makes a bad row. */
  readonly isGiven: boolean;
}

const INTEGER = /^(0|-?[1-9]\d*)$/;
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const LOOSE_NUMBER = /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$/;
const LEADING_ZEROS = /^\s*[+-]?0\d/;
const SMALLEST = -(2n ** 63n);
const LARGEST = 2n ** 63n - 1n;

/** Finds the type of one column from values of the first rows. Leading zeros, and integers beyond 64 bits, stay TEXT; a column without values is TEXT. */
export class TypeFinder {
  #seen: ColumnType | undefined;
  /** Would lose digits as REAL. */
  #hasLongInteger = false;

  /** `text`: the field as it was written, for a CSV, where 1.0 is not 1. */
  add(value: unknown, text?: string): void {
    if (value === null || value === undefined || value === '') return;
    const isDecimal = typeof value === 'number' && text !== undefined && !INTEGER.test(text);
    const type = isDecimal ? 'REAL' : typeOf(value);
    if (type === 'INTEGER' && !Number.isSafeInteger(Number(value))) this.#hasLongInteger = true;
    if (this.#seen === undefined || this.#seen === type) this.#seen = type;
    else this.#seen = type === 'TEXT' || this.#seen === 'TEXT' ? 'TEXT' : 'REAL';
  }

  get type(): ColumnType {
    if (this.#seen === undefined || (this.#seen === 'REAL' && this.#hasLongInteger)) return 'TEXT';
    return this.#seen;
  }
}

function typeOf(value: unknown): ColumnType {
  if (typeof value === 'boolean') return 'INTEGER';
  if (typeof value === 'bigint') return fits64Bits(value) ? 'INTEGER' : 'TEXT';
  if (typeof value === 'number') return Number.isInteger(value) ? 'INTEGER' : 'REAL';
  return 'TEXT';
}

/** A CSV field is a text; this is what it would be as a value of JSON. '' is NULL. */
export function readField(text: string): string | number | bigint | null {
  if (text === '') return null;
  if (INTEGER.test(text)) {
    const value = BigInt(text);
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }
  return NUMBER.test(text) && Number.isFinite(Number(text)) ? Number(text) : text;
}

/** The value to be bound, or what is wrong with it. `text` is the field as it was written, for a CSV. */
export function bindValue(
  value: unknown,
  column: Column,
  text?: string,
): { readonly value: BoundValue } | { readonly bad: string } {
  if (value === null || value === undefined || value === '') return { value: value === '' ? '' : null };
  if (column.type === 'TEXT') return bindText(text ?? textOf(value), column);
  if (typeof value === 'boolean') return { value: value ? 1 : 0 };
  if (typeof value === 'bigint' && !fits64Bits(value)) return bad(column, value.toString(), 'does not fit 64 bits');
  if (typeof value === 'number' || typeof value === 'bigint') {
    const isWhole = typeof value === 'bigint' || Number.isInteger(value);
    return column.isGiven && column.type === 'INTEGER' && !isWhole
      ? bad(column, String(value), 'is not an integer')
      : { value };
  }
  return bindOddity(textOf(value), column);
}

/** A text in a numeric column: SQLite keeps it when it is no number, and makes one of it when it looks like one. */
function bindOddity(text: string, column: Column): { readonly value: BoundValue } | { readonly bad: string } {
  if (column.isGiven) {
    if (!LOOSE_NUMBER.test(text)) return bad(column, text, `is not ${column.type}`);
    const plain = text
      .trim()
      .replace(/^\+/, '')
      .replace(/^(-?)0+(?=\d)/, '$1');
    return bindValue(INTEGER.test(plain) ? readField(plain) : Number(plain), column);
  }
  if (LEADING_ZEROS.test(text)) return bad(column, text, `would lose its zeros; give --types ${column.name}=TEXT`);
  return bindText(text, column);
}

function bindText(text: string, column: Column): { readonly value: BoundValue } | { readonly bad: string } {
  return text.isWellFormed() ? { value: text } : bad(column, text, 'is not Unicode');
}

function bad(column: Column, text: string, why: string): { readonly bad: string } {
  return { bad: `${column.name}: '${text.slice(0, 40)}' ${why}` };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : formatExactJson(value);
}

function fits64Bits(value: bigint): boolean {
  return value >= SMALLEST && value <= LARGEST;
}
