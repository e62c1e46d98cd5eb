import { isUtf8 } from 'node:buffer';
import { TroughError } from '../errors.ts';
import { type RowFormat, type SqlValue } from '../model/sql-types.ts';

/** Writes the rows of one answer, one after the other; `row` gives the text of a row with what stands between it and the one before. */
export interface RowWriter {
  /** What stands before the first row. */
  readonly head: string;
  /** How `head` and every row are to be turned into bytes: latin1 where all of it is ASCII. */
  readonly encoding: 'latin1' | 'utf8';
  row(values: readonly SqlValue[], isFirst: boolean): string;
}

export type Bigints = 'digits' | 'string';

export function createRowWriter(format: RowFormat, columns: readonly string[], bigints: Bigints): RowWriter {
  switch (format) {
    case 'legacy':
      return objectWriter(columns, asciiText, legacyValue, 'legacy');
    case 'ndjson':
      return objectWriter(columns, columnText, jsonValue(bigints), 'ndjson');
    case 'rows':
      return arrayWriter(jsonValue(bigints));
    case 'csv':
      return csvWriter(columns);
  }
}

type ValueWriter = (value: SqlValue) => string;

/** Objects in column order. Of several columns with one name the place is the first's and the value the last's. */
function objectWriter(
  columns: readonly string[],
  text: (name: string) => string,
  value: ValueWriter,
  format: 'legacy' | 'ndjson',
): RowWriter {
  const lastIndex = new Map<string, number>();
  columns.forEach((name, index) => lastIndex.set(name, index));
  // Two flat lists and an index: this loop is the hottest one of a child.
  const indexes = [...lastIndex.values()];
  const prefixes = Array.from(lastIndex.keys(), (name, place) => `${place === 0 ? '{' : ','}${text(name)}:`);
  const [between, after] = format === 'legacy' ? [',\n', '}'] : ['', '}\n'];
  return {
    head: '',
    encoding: format === 'legacy' ? 'latin1' : 'utf8',
    row(values, isFirst) {
      let out = isFirst ? '' : between;
      for (let place = 0; place < prefixes.length; place += 1) {
        out += (prefixes[place] as string) + value(values[indexes[place] as number] as SqlValue);
      }
      return out + after;
    },
  };
}

function arrayWriter(value: ValueWriter): RowWriter {
  return {
    head: '',
    encoding: 'utf8',
    row(values, isFirst) {
      let out = isFirst ? '[' : ',\n[';
      for (let index = 0; index < values.length; index += 1)
        out += (index === 0 ? '' : ',') + value(values[index] ?? null);
      return `${out}]`;
    },
  };
}

function csvWriter(columns: readonly string[]): RowWriter {
  return {
    head: `${columns.map(csvText).join(',')}\r\n`,
    encoding: 'utf8',
    row: (values) => `${values.map(csvValue).join(',')}\r\n`,
  };
}

function legacyValue(value: SqlValue): string {
  if (typeof value === 'string') return asciiText(value);
  if (typeof value === 'bigint') return digits(value);
  if (value === null) return 'null';
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TroughError('SQL_FAILED', 'an infinite REAL has no form in JSON');
    return realText(value);
  }
  if (!isUtf8(value)) throw new TroughError('SQL_FAILED', 'a BLOB that is not UTF-8 has no form in JSON');
  return asciiText(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8'));
}

function jsonValue(bigints: Bigints): ValueWriter {
  return (value) => {
    if (typeof value === 'string') return jsonText(value);
    if (typeof value === 'bigint') return integerText(value, bigints);
    if (value === null) return 'null';
    if (typeof value === 'number') return Number.isFinite(value) ? realText(value) : 'null';
    return `{"base64":"${base64(value)}"}`;
  };
}

function csvValue(value: SqlValue): string {
  if (typeof value === 'string') return csvText(value);
  if (typeof value === 'bigint') return digits(value);
  if (value === null) return '';
  if (typeof value === 'number') return Number.isFinite(value) ? realText(value) : '';
  return base64(value);
}

/** An empty text is quoted, so that it is not taken for NULL. */
function csvText(text: string): string {
  return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A number is written faster than a bigint. */
function digits(value: bigint): string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? String(number) : value.toString();
}

function integerText(value: bigint, bigints: Bigints): string {
  const isExact = bigints === 'digits' || Number.isSafeInteger(Number(value));
  return isExact ? digits(value) : `"${value.toString()}"`;
}

/** The shortest digits that read back as the same number, with `.0` for an integral one: `1.0`, `-0.0`, `1e22`, `2.5e-7`. */
export function realText(value: number): string {
  const text = Object.is(value, -0) ? '-0' : String(value);
  if (text.includes('e')) return text.replace('+', '');
  return text.includes('.') ? text : `${text}.0`;
}

const NEEDS_ESCAPE = /["\\\u0000-\u001f\ud800-\udfff]/;
const NEEDS_ASCII_ESCAPE = /["\\\u0000-\u001f\u0080-\uffff]/;

function jsonText(text: string): string {
  return NEEDS_ESCAPE.test(text) ? JSON.stringify(text) : `"${text}"`;
}

/** The name that marks a line of NDJSON as no row. */
export const NOT_A_ROW = '_trough';

/** A column that has that name is a column still: the same in JSON, but not to those who look at how a line begins. */
function columnText(name: string): string {
  return name === NOT_A_ROW ? '"\\u005ftrough"' : jsonText(name);
}

/** JSON of ASCII characters alone; DEL stays as it is. */
function asciiText(text: string): string {
  return NEEDS_ASCII_ESCAPE.test(text) ? escapeNonAscii(JSON.stringify(text)) : `"${text}"`;
}

/** JSON with every character beyond ASCII as `\\uXXXX`. */
export function escapeNonAscii(json: string): string {
  return json.replace(/[\u0080-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
