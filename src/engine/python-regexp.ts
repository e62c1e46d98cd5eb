import { literal, otherCases } from './python-regexp-case.ts';
import { ClassTranslator, escapeOf, SETS } from './python-regexp-class.ts';
import { GroupTracker } from './python-regexp-groups.ts';

const MOST_KEPT = 200;
const LONGEST_KEPT = 1_000;
const compiled = new Map<string, RegExp>();

/**
 * A RegExp that finds what Python's `re.search(pattern, text)` finds. Throws for what Python refuses and for what cannot be said in
 * JavaScript: conditionals, atomic groups, possessive quantifiers, \N{…}, LOCALE, a reference to a group that may not have taken part
 * or under IGNORECASE.
 * Look-behind of varying width is taken, though Python refuses it.
 */
export function compilePythonRegexp(pattern: string): RegExp {
  const kept = compiled.get(pattern);
  if (kept !== undefined) return kept;
  const made = new Translator(pattern).translate();
  if (pattern.length > LONGEST_KEPT) return made;
  if (compiled.size >= MOST_KEPT) {
    const oldest = compiled.keys().next();
    if (oldest.done !== true) compiled.delete(oldest.value);
  }
  compiled.set(pattern, made);
  return made;
}

/** All flags are written out, so that scopes are kept. */
interface Flags {
  readonly ignoreCase: boolean;
  readonly multiline: boolean;
  readonly dotAll: boolean;
  readonly verbose: boolean;
  readonly ascii: boolean;
}

const NO_FLAGS: Flags = { ignoreCase: false, multiline: false, dotAll: false, verbose: false, ascii: false };
const AT_START = '^';
const AT_END = '$';
/** V8 also tries to match between the two halves of a character; there nothing is before or behind for what looks around. */
const BETWEEN_CHARACTERS = '(?:(?=[\\s\\S])|$)';
const LOOKS_AROUND = /\(\?<?[=!]/;

class Translator {
  readonly #pattern: string;
  readonly #groups = new GroupTracker();
  readonly #scopes: Flags[] = [];
  #flags = NO_FLAGS;
  #at = 0;
  #out = '';

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  translate(): RegExp {
    this.#globalFlags();
    while (this.#at < this.#pattern.length) this.#step();
    if (this.#scopes.length > 0) throw new SyntaxError('missing ), unterminated subpattern');
    const guarded = LOOKS_AROUND.test(this.#out) ? `${BETWEEN_CHARACTERS}(?:${this.#out})` : this.#out;
    return new RegExp(guarded, 'v');
  }

  #globalFlags(): void {
    for (;;) {
      const found = /^\(\?([a-zA-Z]+)\)/.exec(this.#pattern.slice(this.#at));
      if (found === null) return;
      const letters = found[1] ?? '';
      this.#flags = withFlags(this.#flags, letters, true);
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
      this.#out += this.#character(char);
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
      this.#out += this.#reference(this.#groups.reference(Number(digits)));
    } else {
      const { codePoint, length } = escapeOf(this.#pattern, this.#at);
      this.#at += length;
      this.#out += this.#character(String.fromCodePoint(codePoint));
    }
  }

  #character(char: string): string {
    const itself = literal(char);
    if (!this.#flags.ignoreCase) return itself;
    const others = otherCases(char.codePointAt(0) ?? 0, this.#flags.ascii);
    return others === '' ? itself : `[${itself}${others}]`;
  }

  #reference(group: number): string {
    if (this.#flags.ignoreCase) throw new SyntaxError('a reference to a group is not supported when case is ignored');
    return `(?:\\${String(group)})`;
  }

  #class(): void {
    const translator = new ClassTranslator(this.#pattern, this.#at, this.#flags);
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
      this.#out += this.#reference(this.#groups.referenceByName(reference));
    } else if (name !== undefined) {
      this.#groups.open(name);
      this.#enter('(');
    } else if (on !== undefined) {
      this.#groups.enter();
      this.#enter('(?:');
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
    ignoreCase: letters.includes('i') ? value : flags.ignoreCase,
    multiline: letters.includes('m') ? value : flags.multiline,
    dotAll: letters.includes('s') ? value : flags.dotAll,
    verbose: letters.includes('x') ? value : flags.verbose,
    ascii: letters.includes('a') ? value : letters.includes('u') ? false : flags.ascii,
  };
}

function set(char: string, ascii: boolean): string {
  const inner = SETS[ascii ? 'ascii' : 'unicode'][char.toLowerCase() as 'd' | 'w' | 's'];
  return char === char.toLowerCase() ? `[${inner}]` : `[^${inner}]`;
}

/** Python finds neither in an empty text. */
const NOT_EMPTY = '(?:(?<=[\\s\\S])|(?=[\\s\\S]))';

function wordBoundary(ascii: boolean, isBoundary: boolean): string {
  const word = set('w', ascii);
  return isBoundary
    ? `(?:(?<=${word})(?!${word})|(?<!${word})(?=${word}))`
    : `(?:(?<=${word})(?=${word})|(?<!${word})(?!${word})${NOT_EMPTY})`;
}
