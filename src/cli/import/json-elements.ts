import { TroughError } from '../../errors.ts';

export interface JsonElement {
  /** Where it begins, from 1. */
  readonly line: number;
  readonly text: string;
}

/**
 * Cuts the elements out of a JSON array that arrives in pieces. It only counts brackets and strings; whether an element is JSON is for its
 * parser to say. IMPORT_FAILED when the whole is not one array.
 */
export class JsonElements {
  readonly #longest: number;
  #state: 'before' | 'between' | 'element' | 'after' = 'before';
  #depth = 0;
  #inString = false;
  #isEscaped = false;
  #line = 1;
  #startLine = 1;
  #pending = '';
  #count = 0;
  #afterComma = false;

  constructor(longest: number) {
    this.#longest = longest;
  }

  *feed(piece: string): Generator<JsonElement, void, undefined> {
    let start = 0;
    for (let at = 0; at < piece.length; at += 1) {
      const char = piece.charAt(at);
      if (char === '\n') this.#line += 1;
      if (this.#state === 'element') {
        if (!this.#endsElement(char)) continue;
        yield { line: this.#startLine, text: (this.#pending + piece.slice(start, at)).trim() };
        this.#pending = '';
        this.#afterComma = char === ',';
        this.#state = char === ']' ? 'after' : 'between';
      } else if (!isSpace(char) && this.#startsElement(char)) {
        start = at;
        this.#endsElement(char);
      }
    }
    if (this.#state === 'element') this.#pending += piece.slice(start);
    if (this.#pending.length > this.#longest)
      throw this.#broken(`an element is longer than ${String(this.#longest)} characters`);
  }

  /** Call when the text has ended. */
  end(): void {
    if (this.#state !== 'after') throw this.#broken('the text ends before the array does');
  }

  /** True when `char` begins an element; moves between the other states. */
  #startsElement(char: string): boolean {
    if (this.#state === 'before' && char === '[') {
      this.#state = 'between';
    } else if (this.#state === 'between' && char === ']' && !this.#afterComma) {
      this.#state = 'after';
    } else if (this.#state === 'between' && char !== ',' && char !== ']') {
      this.#state = 'element';
      this.#startLine = this.#line;
      this.#count += 1;
      return true;
    } else {
      throw this.#broken(this.#state === 'before' ? 'it does not begin with [' : `'${char}' is not expected here`);
    }
    return false;
  }

  /** Inside an element: true at the comma or bracket that ends it. */
  #endsElement(char: string): boolean {
    if (this.#inString) {
      if (this.#isEscaped) this.#isEscaped = false;
      else if (char === '\\') this.#isEscaped = true;
      else if (char === '"') this.#inString = false;
      return false;
    }
    if (char === '"') this.#inString = true;
    else if (char === '{' || char === '[') this.#depth += 1;
    else if ((char === '}' || char === ']') && this.#depth > 0) this.#depth -= 1;
    else if ((char === ',' || char === ']') && this.#depth === 0) return true;
    return false;
  }

  #broken(why: string): TroughError {
    return new TroughError(
      'IMPORT_FAILED',
      `not a JSON array: line ${String(this.#line)}, after ${String(this.#count)} elements: ${why}`,
    );
  }
}

function isSpace(char: string): boolean {
  return char === ' ' || char === '\n' || char === '\r' || char === '\t';
}
