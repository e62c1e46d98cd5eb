/** A value as Python's json module reads it: numbers keep the text that Python would print, objects the order of their keys. */
export type PythonJson =
  null | boolean | string | { readonly number: string } | PythonJson[] | { readonly entries: Map<string, PythonJson> };

/** `json.loads`; throws for what is no JSON. */
export function loadPythonJson(text: string): PythonJson {
  const parser = new Parser(text);
  return parser.document();
}

/** `json.dumps` with its defaults: `", "` and `": "` between, everything outside ASCII escaped. */
export function dumpPythonJson(value: PythonJson): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return dumpText(value);
  if (Array.isArray(value)) return `[${value.map(dumpPythonJson).join(', ')}]`;
  if ('number' in value) return value.number;
  return `{${Array.from(value.entries, ([key, item]) => `${dumpText(key)}: ${dumpPythonJson(item)}`).join(', ')}}`;
}

/** `repr` of a float: the shortest digits, an exponent from 1e16 up and below 1e-4. */
export function pythonFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? 'Infinity' : '-Infinity';
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const size = Math.abs(value);
  if (size >= 1e16 || size < 1e-4) {
    return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
  }
  const text = String(value);
  return text.includes('.') ? text : `${text}.0`;
}

function dumpText(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const BLANK = /[ \t\n\r]*/y;
const WORD = /null|true|false|NaN|-?Infinity/y;

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): PythonJson {
    const value = this.#value();
    if (this.#at < this.#text.length) throw new SyntaxError('extra data');
    return value;
  }

  #match(shape: RegExp): RegExpExecArray | null {
    shape.lastIndex = this.#at;
    const found = shape.exec(this.#text);
    if (found !== null) this.#at = shape.lastIndex;
    return found;
  }

  #take(char: string): boolean {
    if (this.#text.charAt(this.#at) !== char) return false;
    this.#at += 1;
    this.#match(BLANK);
    return true;
  }

  #value(): PythonJson {
    this.#match(BLANK);
    const value = this.#bare();
    this.#match(BLANK);
    return value;
  }

  #bare(): PythonJson {
    if (this.#take('[')) return this.#list();
    if (this.#take('{')) return this.#object();
    if (this.#text.charAt(this.#at) === '"') return this.#string();
    const word = this.#match(WORD)?.[0];
    if (word !== undefined)
      return word === 'null' ? null : word === 'true' || (word === 'false' ? false : { number: word });
    const number = this.#match(NUMBER);
    if (number === null) throw new SyntaxError('expecting value');
    const isFloat = number[1] !== undefined || number[2] !== undefined;
    return { number: isFloat ? pythonFloat(Number(number[0])) : number[0] === '-0' ? '0' : number[0] };
  }

  /** Piece by piece: one expression for the whole would need a stack as long as the text. */
  #string(): string {
    const start = this.#at;
    if (this.#text.charAt(start) !== '"') throw new SyntaxError('expecting a string');
    this.#at += 1;
    for (;;) {
      this.#match(PLAIN);
      const char = this.#text.charAt(this.#at);
      if (char !== '\\' && char !== '"') throw new SyntaxError('unterminated string');
      this.#at += char === '"' ? 1 : 2;
      if (char === '"') return JSON.parse(this.#text.slice(start, this.#at)) as string;
    }
  }

  #list(): PythonJson[] {
    const items: PythonJson[] = [];
    if (this.#take(']')) return items;
    do items.push(this.#value());
    while (this.#take(','));
    if (this.#text.charAt(this.#at) !== ']') throw new SyntaxError("expecting ',' delimiter");
    this.#at += 1;
    return items;
  }

  #object(): PythonJson {
    const entries = new Map<string, PythonJson>();
    if (this.#take('}')) return { entries };
    do {
      this.#match(BLANK);
      const key = this.#string();
      this.#match(BLANK);
      if (!this.#take(':')) throw new SyntaxError("expecting ':' delimiter");
      entries.set(key, this.#value());
    } while (this.#take(','));
    if (this.#text.charAt(this.#at) !== '}') throw new SyntaxError("expecting ',' delimiter");
    this.#at += 1;
    return { entries };
  }
}
