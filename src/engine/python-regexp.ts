import { ClassTranslator, escapeOf, literal, SETS } from './python-regexp-class.ts';
import { GroupTracker } from './python-regexp-groups.ts';

const MOST_KEPT = 200;
const compiled = new Map<string, RegExp>();

/**
 * A RegExp that finds what Python's `re.search(pattern, text)` finds. Throws for what Python refuses and for what cannot be said in
 * JavaScript: conditionals, atomic groups, possessive quantifiers, \N{…}, LOCALE, a reference to a group that may not have taken part.
 * Look-behind of varying width is taken, though Python refuses it.
 */
export function compilePythonRegexp(pattern: string): RegExp {
  const kept = compiled.get(pattern);
  if (kept !== undefined) return kept;
  const made = new Translator(pattern).translate();
  if (compiled.size >= MOST_KEPT) {
    const oldest = compiled.keys().next();
    if (oldest.done !== true) compiled.delete(oldest.value);
  }
  compiled.set(pattern, made);
  return made;
}

/** i is left to RegExp; the other flags are written out, so that scopes are kept. */
interface Flags {
  readonly multiline: boolean;
  readonly dotAll: boolean;
  readonly verbose: boolean;
  readonly ascii: boolean;
}

const NO_FLAGS: Flags = { multiline: false, dotAll: false, verbose: false, ascii: false };
const AT_START = '(?<![\\s\\S])';
const AT_END = '(?![\\s\\S])';

class Translator {
  readonly #pattern: string;
  readonly #groups = new GroupTracker();
  readonly #scopes: Flags[] = [];
  #flags = NO_FLAGS;
  #ignoreCase = false;
  #at = 0;
  #out = '';

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  translate(): RegExp {
    this.#globalFlags();
    while (this.#at < this.#pattern.length) this.#step();
    if (this.#scopes.length > 0) throw new SyntaxError('missing ), unterminated subpattern');
    return new RegExp(this.#out, this.#ignoreCase ? 'vi' : 'v');
  }

  #globalFlags(): void {
    for (;;) {
      const found = /^\(\?([a-zA-Z]+)\)/.exec(this.#pattern.slice(this.#at));
      if (found === null) return;
      const letters = found[1] ?? '';
      this.#flags = withFlags(this.#flags, letters, true);
      this.#ignoreCase ||= letters.includes('i');
      this.#at += found[0].length;
    }
  }

  #step(): void {
    const char = String.fromCodePoint(this.#pattern.codePointAt(this.#at) ?? 0);
    this.#at += char.length;
    switch (char) {
      case '\\':
        this.#escape();
        return;
      case '[':
        this.#class();
        return;
      case '(':
        this.#open();
        return;
      case ')':
        this.#close();
        return;
      case '*':
      case '+':
      case '?':
        this.#repeat(char, char === '+' ? 1 : 0);
        return;
      case '{':
        this.#braces();
        return;
      default:
        this.#plain(char);
    }
  }

  #plain(char: string): void {
    const { multiline, dotAll, verbose } = this.#flags;
    if (char === '|') {
      this.#groups.alternative();
      this.#out += '|';
    } else if (char === '.') {
      this.#out += dotAll ? '[\\s\\S]' : '[^\\n]';
    } else if (char === '^') {
      this.#out += multiline ? '(?<![^\\n])' : AT_START;
    } else if (char === '$') {
      this.#out += multiline ? '(?![^\\n])' : `(?=\\n?${AT_END})`;
    } else if (verbose && /[ \t\n\r\f\v]/.test(char)) {
      return;
    } else if (verbose && char === '#') {
      const end = this.#pattern.indexOf('\n', this.#at);
      this.#at = end === -1 ? this.#pattern.length : end + 1;
    } else {
      this.#out += literal(char);
    }
    if (char !== '|') this.#groups.item();
  }

  #escape(): void {
    const { ascii } = this.#flags;
    const char = this.#pattern.charAt(this.#at);
    if (/[AZbB]/.test(char)) this.#groups.anchor();
    else this.#groups.item();
    if (char === 'A' || char === 'Z') {
      this.#at += 1;
      this.#out += char === 'A' ? AT_START : AT_END;
    } else if (char === 'b' || char === 'B') {
      this.#at += 1;
      this.#out += wordBoundary(ascii, char === 'b');
    } else if (/[dDwWsS]/.test(char)) {
      this.#at += 1;
      this.#out += set(char, ascii);
    } else if (/[1-9]/.test(char) && !/^[1-3][0-7]{2}/.test(this.#pattern.slice(this.#at))) {
      const digits = /^[1-9][0-9]?/.exec(this.#pattern.slice(this.#at))?.[0] ?? '';
      this.#at += digits.length;
      this.#out += `(?:\\${String(this.#groups.reference(Number(digits)))})`;
    } else {
      const { codePoint, length } = escapeOf(this.#pattern, this.#at);
      this.#at += length;
      this.#out += literal(String.fromCodePoint(codePoint));
    }
  }

  #class(): void {
    const translator = new ClassTranslator(this.#pattern, this.#at, this.#flags.ascii);
    this.#out += translator.translate();
    this.#at = translator.end;
    this.#groups.item();
  }

  #open(): void {
    const rest = this.#pattern.slice(this.#at);
    const special =
      /^\?(?:P<([\p{L}_][\p{L}\p{N}_]*)>|P=([\p{L}_][\p{L}\p{N}_]*)\)|#[^)]*\)|([aimsux]*)(?:-([imsx]+))?:|<?[=!])/u.exec(
        rest,
      );
    if (special === null) {
      if (rest.startsWith('?')) throw new SyntaxError(`unknown extension ${rest.slice(0, 3)}`);
      this.#groups.open(undefined);
      this.#enter('(');
      return;
    }
    const [text, name, reference, on, off] = special;
    this.#at += text.length;
    if (text.startsWith('?#')) return;
    if (reference !== undefined) {
      this.#groups.item();
      this.#out += `(?:\\${String(this.#groups.referenceByName(reference))})`;
    } else if (name !== undefined) {
      this.#groups.open(name);
      this.#enter('(');
    } else if (on !== undefined) {
      this.#groups.enter();
      this.#enter(scopeOf(on, off ?? ''));
      this.#flags = withFlags(withFlags(this.#flags, on, true), off ?? '', false);
    } else {
      this.#groups.enter();
      this.#enter(`(${text}`);
    }
  }

  #enter(text: string): void {
    this.#out += text;
    this.#scopes.push(this.#flags);
  }

  #close(): void {
    const flags = this.#scopes.pop();
    if (flags === undefined) throw new SyntaxError('unbalanced parenthesis');
    this.#flags = flags;
    this.#groups.close();
    this.#out += ')';
  }

  /** `{` is a quantifier only in the forms {m} {m,} {,n} {m,n}; else it is itself. */
  #braces(): void {
    const found = /^(\d*)(,?)(\d*)\}/.exec(this.#pattern.slice(this.#at));
    if (found === null || found[0] === '}') {
      this.#out += '\\{';
      this.#groups.item();
      return;
    }
    this.#at += found[0].length;
    const [, low = '', comma = '', high = ''] = found;
    this.#repeat(`{${low === '' ? '0' : low}${comma}${high}}`, Number(low));
  }

  #repeat(text: string, least: number): void {
    this.#groups.repeat(least);
    const next = this.#pattern.charAt(this.#at);
    if (next === '+') throw new SyntaxError('possessive quantifiers are not supported');
    if (next === '?') this.#at += 1;
    this.#out += next === '?' ? `${text}?` : text;
  }
}

function withFlags(flags: Flags, letters: string, value: boolean): Flags {
  if (/[^aimsux]/.test(letters)) throw new SyntaxError(`flag ${letters} is not supported`);
  return {
    multiline: letters.includes('m') ? value : flags.multiline,
    dotAll: letters.includes('s') ? value : flags.dotAll,
    verbose: letters.includes('x') ? value : flags.verbose,
    ascii: letters.includes('a') ? value : letters.includes('u') ? false : flags.ascii,
  };
}

function scopeOf(on: string, off: string): string {
  if (on.includes('i')) return '(?i:';
  return off.includes('i') ? '(?-i:' : '(?:';
}

function set(char: string, ascii: boolean): string {
  const inner = SETS[ascii ? 'ascii' : 'unicode'][char.toLowerCase() as 'd' | 'w' | 's'];
  return char === char.toLowerCase() ? `[${inner}]` : `[^${inner}]`;
}

function wordBoundary(ascii: boolean, isBoundary: boolean): string {
  const word = set('w', ascii);
  return isBoundary
    ? `(?:(?<=${word})(?!${word})|(?<!${word})(?=${word}))`
    : `(?:(?<=${word})(?=${word})|(?<!${word})(?!${word}))`;
}
