import { Readable } from 'node:stream';
import { CsvError, type CsvErrorCode, parse } from 'csv-parse';
import { TroughError } from '../../errors.ts';
import { type SourceItem } from './import-row.ts';

/** A quote that is never closed would otherwise swallow the rest of the file into memory. */
const LONGEST_ROW = 16_000_000;

/** The rows of a CSV text, its header row among them as the first; what cannot be parsed is an item too. */
export async function* readCsv(
  text: AsyncIterable<string>,
  delimiter: string,
): AsyncGenerator<SourceItem, void, undefined> {
  const skipped: SourceItem[] = [];
  const parser = parse({
    delimiter,
    bom: true,
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
    skip_records_with_error: true,
    max_record_size: LONGEST_ROW,
    on_skip: (error, raw) => {
      if (error !== undefined)
        skipped.push({ line: Number(error['lines'] ?? 0), bad: sentence(error), raw: raw ?? '' });
      return undefined;
    },
  });
  const input = Readable.from(text, { objectMode: true, highWaterMark: 4 });
  input.once('error', (error) => parser.destroy(error));
  try {
    for await (const item of input.pipe(parser)) {
      const { record, info } = item as { record: string[]; info: { lines: number } };
      yield* skipped.splice(0);
      yield { line: info.lines, row: { kind: 'fields', fields: record } };
    }
    yield* skipped.splice(0);
  } catch (error) {
    if (error instanceof TroughError) throw error;
    throw new TroughError(
      'IMPORT_FAILED',
      error instanceof CsvError ? sentence(error) : TroughError.from(error).message,
      {},
      error,
    );
  } finally {
    input.destroy();
    parser.destroy();
  }
}

const SENTENCES: Partial<Record<CsvErrorCode, string>> = {
  CSV_MAX_RECORD_SIZE: `a row is longer than ${String(LONGEST_ROW)} characters: is a quote not closed?`,
  CSV_QUOTE_NOT_CLOSED: 'a quote is opened and never closed',
  INVALID_OPENING_QUOTE: 'a quote stands inside a field that does not begin with one',
  CSV_INVALID_CLOSING_QUOTE: 'something follows a closing quote',
};

function sentence(error: CsvError): string {
  return SENTENCES[error.code] ?? error.message;
}
