export type SqlTokenKind =
  'word' | 'quoted' | 'string' | 'blob' | 'number' | 'parameter' | 'semicolon' | 'operator' | 'illegal';

const SPACE = /[ \t\n\v\f\r\ufeff]/;
const WORD_START = /[A-Za-z_\u0080-\uffff]/;
const WORD = /[A-Za-z0-9_$\u0080-\uffff]/;
const DIGIT = /[0-9]/;

/**
 * Reads SQL token by token as SQLite's own tokenizer does (tokenize.c), white space and comments left out.
 * It holds one token at a time, so that a script of many megabytes costs no memory beside its text.
 */
export class SqlScanner {
  readonly sql: string;
  kind: SqlTokenKind = 'operator';
  start = 0;
  end = 0;

  constructor(sql: string) {
    this.sql = sql;
  }

  /** Moves to the next token; false at the end of the text. */
  next(): boolean {
    this.start = this.#skipBlank(this.end);
    if (this.start >= this.sql.length) {
      this.end = this.start;
      return false;
    }
    this.#read(this.sql.charAt(this.start));
    return true;
  }

  /** Moves on and gives the token's keyword; '' at the end, and for a token that is no word. */
  nextKeyword(): string {
    return this.next() ? this.keyword : '';
  }

  get text(): string {
    return this.sql.slice(this.start, this.end);
  }

  /** The word in upper case; '' for a token of another kind. */
  get keyword(): string {
    return this.kind === 'word' ? this.text.toUpperCase() : '';
  }

  /** What an identifier or a string literal stands for, without its quotes; '' for a token of another kind. */
  get name(): string {
    if (this.kind === 'word') return this.text;
    if (this.kind !== 'quoted' && this.kind !== 'string') return '';
    const quote = this.sql.charAt(this.start);
    const inner = this.sql.slice(this.start + 1, this.end - 1);
    return quote === '[' ? inner : inner.replaceAll(quote + quote, quote);
  }

  #skipBlank(from: number): number {
    const { sql } = this;
    let at = from;
    while (at < sql.length) {
      const char = sql.charAt(at);
      if (SPACE.test(char)) at += 1;
      else if (char === '-' && sql.charAt(at + 1) === '-') at = after(sql, '\n', at + 2);
      else if (char === '/' && sql.charAt(at + 1) === '*' && at + 2 < sql.length) at = after(sql, '*/', at + 2);
      else break;
    }
    return at;
  }

  #read(char: string): void {
    if (char === "'") this.#quoted('string', char, this.start + 1);
    else if (char === '"' || char === '`') this.#quoted('quoted', char, this.start + 1);
    else if (char === '[') this.#bracketed();
    else if (char === ';') this.#take('semicolon', this.start + 1);
    else if (char === '?') this.#take('parameter', this.#while(DIGIT, this.start + 1));
    else if (char === ':' || char === '@' || char === '$' || char === '#') this.#parameter();
    else if (DIGIT.test(char) || (char === '.' && DIGIT.test(this.sql.charAt(this.start + 1)))) this.#number();
    else if ((char === 'x' || char === 'X') && this.sql.charAt(this.start + 1) === "'") this.#blob();
    else if (WORD_START.test(char)) this.#take('word', this.#while(WORD, this.start + 1));
    else this.#take('operator', this.start + 1);
  }

  #take(kind: SqlTokenKind, end: number): void {
    this.kind = kind;
    this.end = end;
  }

  #while(shape: RegExp, from: number): number {
    let at = from;
    while (at < this.sql.length && shape.test(this.sql.charAt(at))) at += 1;
    return at;
  }

  #quoted(kind: SqlTokenKind, quote: string, from: number): void {
    let at = from;
    for (;;) {
      const close = this.sql.indexOf(quote, at);
      if (close === -1) {
        this.#take('illegal', this.sql.length);
        return;
      }
      if (this.sql.charAt(close + 1) !== quote) {
        this.#take(kind, close + 1);
        return;
      }
      at = close + 2;
    }
  }

  #bracketed(): void {
    const close = this.sql.indexOf(']', this.start);
    if (close === -1) this.#take('illegal', this.sql.length);
    else this.#take('quoted', close + 1);
  }

  #parameter(): void {
    const end = this.#while(WORD, this.start + 1);
    this.#take(end === this.start + 1 ? 'operator' : 'parameter', end);
  }

  #number(): void {
    let at = this.#while(/[0-9A-Za-z_.]/, this.start);
    const isDecimal = !/^0x/i.test(this.sql.slice(this.start, this.start + 2));
    if (
      isDecimal &&
      /e/i.test(this.sql.charAt(at - 1)) &&
      /[+-]/.test(this.sql.charAt(at)) &&
      DIGIT.test(this.sql.charAt(at + 1))
    ) {
      at = this.#while(/[0-9A-Za-z_]/, at + 1);
    }
    this.#take('number', at);
  }

  #blob(): void {
    const end = this.#while(/[0-9A-Fa-f]/, this.start + 2);
    if (this.sql.charAt(end) === "'") this.#take('blob', end + 1);
    else this.#quoted('illegal', "'", this.start + 2);
  }
}

function after(sql: string, what: string, from: number): number {
  const found = sql.indexOf(what, from);
  return found === -1 ? sql.length : found + what.length;
}
