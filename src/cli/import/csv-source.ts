import { Readable } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import { TroughError } from '../../errors.ts';
import { type SourceItem } from './import-row.ts';

/** A quote that is never closed would otherwise swallow the rest of the file into memory. */
const LONGEST_ROW = 16_000_000;

/**
 * The rows of a CSV text, its header row among them as the first. A quote inside a field stands for itself; one that is opened and never
 * closed makes one bad row of the rest, or ends the import when that is long.
 */
export async function* readCsv(
  text: AsyncIterable<string>,
  delimiter: string,
): AsyncGenerator<SourceItem, void, undefined> {
  const skipped: SourceItem[] = [];
  const parser = parse({
    delimiter,
    info: true,
    raw: true,
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
    skip_records_with_error: true,
    max_record_size: LONGEST_ROW,
    on_skip: (error, raw) => {
      if (error?.code === 'CSV_MAX_RECORD_SIZE') parser.destroy(error);
      else if (error !== undefined)
        skipped.push({ line: Number(error['lines'] ?? 0), bad: sentence(error), raw: raw ?? '' });
      return undefined;
    },
  });
  const input = Readable.from(text, { objectMode: true, highWaterMark: 4 });
  input.once('error', (error) => parser.destroy(error));
  try {
    for await (const item of input.pipe(parser)) {
      const { record, info } = item as { record: string[]; info: { lines: number } };
      yield { line: info.lines, row: { kind: 'fields', fields: record } };
    }
    yield* skipped;
  } catch (error) {
    if (error instanceof TroughError) throw error;
    const why = error instanceof CsvError ? sentence(error) : TroughError.from(error).message;
    throw new TroughError('IMPORT_FAILED', why, {}, error);
  } finally {
    input.destroy();
    parser.destroy();
  }
}

function sentence(error: CsvError): string {
  if (error.code === 'CSV_MAX_RECORD_SIZE') {
    return `near line ${String(error['lines'])}: a row is longer than ${String(LONGEST_ROW)} characters; is a quote not closed?`;
  }
  return error.code === 'CSV_QUOTE_NOT_CLOSED' ? 'a quote is opened and never closed' : error.message;
}
