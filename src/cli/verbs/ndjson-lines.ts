import { TroughError } from '../../errors.ts';
import { parseExactJson } from '../../model/exact-json.ts';

const NOTE = Buffer.from('{"_trough":');
const NEWLINE = 10;

/** Whole lines of an NDJSON answer, as they arrive: rows as bytes to be handed on, and what trough says between them. */
export interface LineGroup {
  readonly rows: Uint8Array;
  readonly notes: readonly string[];
}

export async function* splitLines(body: AsyncIterable<Uint8Array>): AsyncGenerator<LineGroup, void, undefined> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of body) {
    const bytes =
      rest.length === 0 ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength) : Buffer.concat([rest, chunk]);
    const end = bytes.lastIndexOf(NEWLINE) + 1;
    rest = Buffer.from(bytes.subarray(end));
    if (end > 0) yield group(bytes.subarray(0, end));
  }
  if (rest.length > 0) yield group(Buffer.concat([rest, Buffer.from('\n')]));
}

function group(lines: Buffer): LineGroup {
  if (!lines.includes(NOTE)) return { rows: lines, notes: [] };
  const rows: Uint8Array[] = [];
  const notes: string[] = [];
  for (let at = 0; at < lines.length;) {
    const end = lines.indexOf(NEWLINE, at) + 1;
    const line = lines.subarray(at, end);
    if (line.subarray(0, NOTE.length).equals(NOTE)) notes.push(line.toString('utf8'));
    else rows.push(line);
    at = end;
  }
  return { rows: Buffer.concat(rows), notes };
}

/** What the last note means; an answer whose last note is not a summary is not complete. */
export function lastLine(note: string | undefined): { error?: TroughError; isSummary: boolean } {
  if (note === undefined) return { isSummary: false };
  const said = (parseExactJson(note) as { _trough: Readonly<Record<string, unknown>> })._trough;
  if (said['error'] === undefined) return { isSummary: said['summary'] !== undefined };
  return { error: TroughError.fromRecord(said['error'] as { code: string; message: string }), isSummary: false };
}
