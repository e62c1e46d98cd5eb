/**
 * JSON with what `JSON.parse` loses: the order and duplicates of keys, and whether a number was written as an integer or as a float.
 * NaN and the infinities are numbers, as the original's clients read them.
 */
export type TaggedJson =
  | { readonly kind: 'object'; readonly pairs: readonly (readonly [key: string, value: TaggedJson])[] }
  | { readonly kind: 'list'; readonly items: readonly TaggedJson[] }
  | { readonly kind: 'string' | 'int' | 'float' | 'word'; readonly value: string };

const TOKEN =
  /[ \t\n\r]*(?:(?<mark>[[\]{}:,])|(?<string>"(?:[^"\\\u0000-\u001f]|\\.)*")|(?<number>-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.])|(?<word>true|false|null|NaN|-?Infinity)(?!\w))/y;

interface Token {
  readonly kind: 'mark' | 'string' | 'number' | 'word';
  readonly text: string;
}

/** Throws SyntaxError unless the bytes are UTF-8 and one JSON text. */
export function parseTagged(bytes: Uint8Array): TaggedJson {
  const reader = new TokenReader(decode(bytes));
  const value = readValue(reader);
  reader.end();
  return value;
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new SyntaxError('not UTF-8', { cause: error });
  }
}

class TokenReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** The next token; with `mark`, only if it is that one. */
  next(): Token {
    TOKEN.lastIndex = this.#at;
    const groups = TOKEN.exec(this.#text)?.groups;
    if (groups === undefined) throw new SyntaxError(`no JSON at character ${String(this.#at)}`);
    this.#at = TOKEN.lastIndex;
    for (const kind of ['mark', 'string', 'number', 'word'] as const) {
      const text = groups[kind];
      if (text !== undefined) return { kind, text };
    }
    throw new SyntaxError('a token of no kind');
  }

  takes(mark: string): boolean {
    const before = this.#at;
    const token = this.next();
    if (token.kind === 'mark' && token.text === mark) return true;
    this.#at = before;
    return false;
  }

  demand(mark: string): void {
    if (!this.takes(mark)) throw new SyntaxError(`no ${mark} at character ${String(this.#at)}`);
  }

  end(): void {
    if (this.#text.slice(this.#at).trim() !== '') throw new SyntaxError(`more text at character ${String(this.#at)}`);
  }
}

function readValue(reader: TokenReader): TaggedJson {
  const { kind, text } = reader.next();
  if (kind === 'string') return { kind, value: JSON.parse(text) as string };
  if (kind === 'number') return numberOf(text);
  if (kind === 'word') return /^-?[NI]/.test(text) ? { kind: 'float', value: text } : { kind, value: text };
  if (text === '[') return { kind: 'list', items: readList(reader) };
  if (text === '{') return { kind: 'object', pairs: readPairs(reader) };
  throw new SyntaxError(`${text} where a value should be`);
}

function numberOf(text: string): TaggedJson {
  if (/[.eE]/.test(text)) return { kind: 'float', value: String(Number(text)) };
  return { kind: 'int', value: BigInt(text).toString() };
}

function readList(reader: TokenReader): TaggedJson[] {
  const items: TaggedJson[] = [];
  if (reader.takes(']')) return items;
  do items.push(readValue(reader));
  while (reader.takes(','));
  reader.demand(']');
  return items;
}

function readPairs(reader: TokenReader): (readonly [string, TaggedJson])[] {
  const pairs: (readonly [string, TaggedJson])[] = [];
  if (reader.takes('}')) return pairs;
  do {
    const key = reader.next();
    if (key.kind !== 'string') throw new SyntaxError('a key must be a string');
    reader.demand(':');
    pairs.push([JSON.parse(key.text) as string, readValue(reader)]);
  } while (reader.takes(','));
  reader.demand('}');
  return pairs;
}
