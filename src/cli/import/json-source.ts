import { TroughError } from '../../errors.ts';
import { parseExactJson } from '../../model/exact-json.ts';
import { type SourceItem } from './import-row.ts';
import { JsonElements } from './json-elements.ts';

const LONGEST_ROW = 16_000_000;

/** One JSON object per line; empty lines are passed over. */
export async function* readNdjson(text: AsyncIterable<string>): AsyncGenerator<SourceItem, void, undefined> {
  let line = 0;
  let rest = '';
  for await (const piece of text) {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LONGEST_ROW) throw tooLong(line + 1);
    for (const one of lines) {
      line += 1;
      if (one.trim() !== '') yield toItem(line, one);
    }
  }
  if (rest.trim() !== '') yield toItem(line + 1, rest);
}

/** The objects of one JSON array, without ever holding more than one. */
export async function* readJsonArray(text: AsyncIterable<string>): AsyncGenerator<SourceItem, void, undefined> {
  const elements = new JsonElements(LONGEST_ROW);
  for await (const piece of text) {
    for (const { line, text: element } of elements.feed(piece)) yield toItem(line, element);
  }
  elements.end();
}

function toItem(line: number, raw: string): SourceItem {
  let value: unknown;
  try {
    value = parseExactJson(raw);
  } catch (error) {
    return { line, bad: `not JSON: ${TroughError.from(error).message.replace(/^the body is not JSON: /, '')}`, raw };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { line, bad: 'not a JSON object', raw };
  return { line, row: { kind: 'object', object: value as Record<string, unknown> } };
}

function tooLong(line: number): TroughError {
  return new TroughError('IMPORT_FAILED', `line ${String(line)} is longer than ${String(LONGEST_ROW)} characters`);
}
