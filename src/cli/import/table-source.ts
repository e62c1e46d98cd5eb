import { TroughError } from '../../errors.ts';
import { type Column } from './column-types.ts';
import { readCsv } from './csv-source.ts';
import { type ColumnType, type ImportFormat } from './import-options.ts';
import { type SourceItem } from './import-row.ts';
import { readJsonArray, readNdjson } from './json-source.ts';
import { columnsOfFields, columnsOfObjects } from './row-shaper.ts';

/** So many rows decide the types of the columns. */
const SAMPLE_ROWS = 1_000;

export interface TableSource {
  readonly columns: readonly Column[];
  /** Every row, those of the sample included, a CSV's header excluded. */
  readonly items: AsyncIterable<SourceItem>;
}

/** Reads the first rows for the columns and their types. IMPORT_FAILED when there is no row to tell them from. */
export async function openTable(
  text: AsyncIterable<string>,
  format: ImportFormat,
  delimiter: string,
  types: Readonly<Record<string, ColumnType>>,
): Promise<TableSource> {
  const items = itemsOf(text, format, delimiter);
  const isCsv = format === 'csv' || format === 'tsv';
  const header = isCsv ? await readHeader(items) : [];
  const sample: SourceItem[] = [];
  while (sample.length < SAMPLE_ROWS) {
    const next = await items.next();
    if (next.done === true) break;
    sample.push(next.value);
  }
  const rows = sample.flatMap((item) => ('row' in item ? [item.row] : []));
  if (!isCsv && rows.length === 0)
    throw new TroughError('IMPORT_FAILED', `the first ${String(SAMPLE_ROWS)} rows hold no JSON object`);
  const columns = isCsv
    ? columnsOfFields(
        header,
        rows.flatMap((row) => (row.kind === 'fields' && row.fields.length === header.length ? [row.fields] : [])),
        types,
      )
    : columnsOfObjects(
        rows.flatMap((row) => (row.kind === 'object' ? [row.object] : [])),
        types,
      );
  return { columns, items: joined(sample, items) };
}

function itemsOf(
  text: AsyncIterable<string>,
  format: ImportFormat,
  delimiter: string,
): AsyncGenerator<SourceItem, void, undefined> {
  if (format === 'ndjson') return readNdjson(text);
  return format === 'json' ? readJsonArray(text) : readCsv(text, delimiter);
}

async function readHeader(items: AsyncGenerator<SourceItem, void, undefined>): Promise<readonly string[]> {
  const first = await items.next();
  if (first.done === true) throw new TroughError('IMPORT_FAILED', 'there is nothing to import: not even a header line');
  if (!('row' in first.value) || first.value.row.kind !== 'fields')
    throw new TroughError('IMPORT_FAILED', 'the header line cannot be read');
  return first.value.row.fields;
}

async function* joined(
  sample: readonly SourceItem[],
  rest: AsyncGenerator<SourceItem, void, undefined>,
): AsyncGenerator<SourceItem, void, undefined> {
  try {
    yield* sample;
    yield* rest;
  } finally {
    await rest.return();
  }
}
