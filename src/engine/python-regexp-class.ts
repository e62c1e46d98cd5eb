import { literal, otherCases, otherCasesOfRange } from './python-regexp-case.ts';

/** What \d, \w and \s stand for in Python, as the inside of a character class. */
export const SETS = {
  unicode: {
    d: '\\p{Nd}',
    w: '\\p{L}\\p{N}_',
    s: '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000',
  },
  ascii: { d: '0-9', w: 'A-Za-z0-9_', s: '\\t-\\r\\x20' },
} as const;

const SIMPLE: Readonly<Record<string, number>> = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 };

/** The character that the escape after a backslash at `at` stands for, with its length; throws for one that Python does not know. */
export function escapeOf(pattern: string, at: number): { readonly codePoint: number; readonly length: number } {
  const rest = pattern.slice(at);
  const hex = /^(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8}))/.exec(rest);
  if (hex !== null) return { codePoint: Number.parseInt(hex[1] ?? hex[2] ?? hex[3] ?? '', 16), length: hex[0].length };
  const octal = /^(?:0[0-7]{0,2}|[1-3][0-7]{2})/.exec(rest);
  if (octal !== null) return { codePoint: Number.parseInt(octal[0], 8), length: octal[0].length };
  const char = rest === '' ? '' : String.fromCodePoint(rest.codePointAt(0) ?? 0);
  const simple = Object.hasOwn(SIMPLE, char) ? SIMPLE[char] : undefined;
  if (simple !== undefined) return { codePoint: simple, length: 1 };
  if (char === '' || /[A-Za-z0-9]/.test(char)) throw new SyntaxError(`bad escape \\${char}`);
  return { codePoint: char.codePointAt(0) ?? 0, length: char.length };
}

/** Translates one [class], from after its bracket. */
export class ClassTranslator {
  readonly #pattern: string;
  readonly #ascii: boolean;
  readonly #ignoreCase: boolean;
  /** After the closing bracket, once translated. */
  end: number;

  constructor(pattern: string, start: number, flags: { readonly ascii: boolean; readonly ignoreCase: boolean }) {
    this.#pattern = pattern;
    this.end = start;
    this.#ascii = flags.ascii;
    this.#ignoreCase = flags.ignoreCase;
  }

  translate(): string {
    let out = '[';
    if (this.#pattern.charAt(this.end) === '^') {
      this.end += 1;
      out = '[^';
    }
    for (let isFirst = true; isFirst || this.#pattern.charAt(this.end) !== ']'; isFirst = false) {
      const low = this.#member();
      const isRange =
        this.#pattern.charAt(this.end) === '-' && !/^-(\]|$)/.test(this.#pattern.slice(this.end, this.end + 2));
      if (!isRange) {
        out += typeof low === 'string' ? low : this.#character(low);
        continue;
      }
      this.end += 1;
      const high = this.#member();
      if (typeof low === 'string' || typeof high === 'string' || high < low)
        throw new SyntaxError('bad character range');
      out += `${literal(String.fromCodePoint(low))}-${literal(String.fromCodePoint(high))}`;
      if (this.#ignoreCase) out += otherCasesOfRange(low, high, this.#ascii);
    }
    this.end += 1;
    return `${out}]`;
  }

  #character(codePoint: number): string {
    const itself = literal(String.fromCodePoint(codePoint));
    return this.#ignoreCase ? itself + otherCases(codePoint, this.#ascii) : itself;
  }

  /** A code point, or the text of a set. */
  #member(): number | string {
    const codePoint = this.#pattern.codePointAt(this.end);
    if (codePoint === undefined) throw new SyntaxError('unterminated character set');
    this.end += codePoint > 0xffff ? 2 : 1;
    if (codePoint !== 0x5c) return codePoint;
    const char = this.#pattern.charAt(this.end);
    if (/[dws]/i.test(char)) {
      this.end += 1;
      const inner = SETS[this.#ascii ? 'ascii' : 'unicode'][char.toLowerCase() as 'd' | 'w' | 's'];
      return char === char.toLowerCase() ? inner : `[^${inner}]`;
    }
    if (char === 'b') {
      this.end += 1;
      return 8;
    }
    const escape = escapeOf(this.#pattern, this.end);
    this.end += escape.length;
    return escape.codePoint;
  }
}
