import { type ImportFormat } from './import-options.ts';

const HEAD_CHARACTERS = 4_096;

export interface Sniffed {
  readonly format: ImportFormat;
  /** The whole text, its beginning included. */
  readonly text: AsyncIterable<string>;
}

/** Tells the format from the first character, and CSV from TSV by the file's name or its first line. */
export async function sniffFormat(name: string, text: AsyncGenerator<string, void, undefined>): Promise<Sniffed> {
  let head = '';
  let isDone = false;
  while (head.length < HEAD_CHARACTERS && !isDone) {
    const next = await text.next();
    if (next.done === true) isDone = true;
    else head += next.value;
  }
  return { format: formatOf(name, head), text: joined(head, text) };
}

function formatOf(name: string, head: string): ImportFormat {
  const bare = name.toLowerCase().replace(/\.gz$/, '');
  const first = head.trimStart().charAt(0);
  const isText = /\.(csv|tsv|tab)$/.test(bare);
  if (first === '[' && !isText) return 'json';
  if (first === '{' && !isText) return 'ndjson';
  if (/\.(tsv|tab)$/.test(bare)) return 'tsv';
  const header = /^[^\r\n]*/.exec(head)?.[0] ?? '';
  return !bare.endsWith('.csv') && header.includes('\t') && !header.includes(',') ? 'tsv' : 'csv';
}

async function* joined(head: string, rest: AsyncIterable<string>): AsyncGenerator<string, void, undefined> {
  if (head !== '') yield head;
  yield* rest;
}
