/** Numbers that look random and are the same for the same seed; each below the given one. */
export function seeded(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const CHARACTERS = [
  'a',
  'b',
  'A',
  'B',
  'c',
  '0',
  '9',
  '_',
  ' ',
  '-',
  '\n',
  '\r',
  '\t',
  'é',
  'É',
  'ß',
  'ſ',
  'K',
  'İ',
  'ı',
];
const RARE = [
  'σ',
  'ς',
  'Σ',
  '٣',
  '²',
  'Ⅷ',
  '\u0345',
  '\u200d',
  '\u00a0',
  '\u0085',
  '\u2028',
  '\u001c',
  '\ufeff',
  '😀',
  '𝟘',
  'ﬁ',
  'ǅ',
  '\x7f',
];
const SPECIAL = [
  '.',
  '/',
  '#',
  '&',
  '~',
  '|',
  '}',
  ']',
  '{',
  '^',
  '$',
  '*',
  '+',
  '?',
  '(',
  ')',
  '[',
  '\\',
  ',',
  '=',
  '!',
  '<',
  '>',
  ':',
  "'",
  '@',
];
const ESCAPES = [
  '\\d',
  '\\D',
  '\\w',
  '\\W',
  '\\s',
  '\\S',
  '\\n',
  '\\t',
  '\\.',
  '\\\\',
  '\\-',
  '\\]',
  '\\x41',
  '\\u00e9',
  '\\0',
  '\\101',
  '\\a',
  '\\/',
];
const BAD_ESCAPES = ['\\q', '\\N', '\\p', '\\z', '\\8', '\\x4', '\\u12', '\\U0001F600', '\\é', '\\_', '\\c', '\\k'];
const ANCHORS = ['^', '$', '\\A', '\\Z', '\\b', '\\B'];
const QUANTIFIERS = [
  '*',
  '+',
  '?',
  '*?',
  '+?',
  '??',
  '{2}',
  '{1,2}',
  '{,2}',
  '{1,}',
  '{0}',
  '{1,2}?',
  '{2,1}',
  '{,}',
  '{a}',
  '{',
  '*+',
  '{1}{2}',
];
const GROUPS = [
  '(',
  '(?:',
  '(?P<n>',
  '(?=',
  '(?!',
  '(?<=',
  '(?<!',
  '(?i:',
  '(?s:',
  '(?m:',
  '(?x:',
  '(?a:',
  '(?-i:',
  '(?i-s:',
  '(?>',
  '(?P<m>',
];
const FLAGS = ['(?i)', '(?m)', '(?s)', '(?x)', '(?a)', '(?im)', '(?is)', '(?u)', '(?L)', '(?ai)', '(?xm)'];

/** Patterns as people write them, and as they do not; and texts that such patterns find something in. */
export class RegexpGenerator {
  readonly #random: (below: number) => number;

  constructor(seed: number) {
    this.#random = seeded(seed);
  }

  pattern(): string {
    if (this.#random(12) === 0) return this.#some(1 + this.#random(6), () => this.#junk());
    return (this.#random(4) === 0 ? this.#one(FLAGS) : '') + this.#alternatives(3);
  }

  text(): string {
    return this.#some(this.#random(6), () => this.#character());
  }

  #alternatives(depth: number): string {
    const first = this.#sequence(depth);
    return this.#random(4) === 0 ? `${first}|${this.#sequence(depth)}` : first;
  }

  #sequence(depth: number): string {
    return this.#some(1 + this.#random(3), () => {
      const item = this.#item(depth);
      return this.#random(3) === 0 ? item + this.#one(QUANTIFIERS) : item;
    });
  }

  #item(depth: number): string {
    const kind = this.#random(20);
    if (kind < 6) return this.#character();
    if (kind < 8) return '.';
    if (kind < 10) return this.#one(ESCAPES);
    if (kind < 12) return this.#one(ANCHORS);
    if (kind < 15) return this.#class();
    if (kind < 18 && depth > 0) return `${this.#one(GROUPS)}${this.#alternatives(depth - 1)})`;
    if (kind === 18) return this.#one(['\\1', '(?P=n)', '\\2', '(?#c)', '(?(1)a|b)', this.#one(BAD_ESCAPES)]);
    return this.#junk();
  }

  #class(): string {
    const members = this.#some(1 + this.#random(3), () => {
      const kind = this.#random(8);
      if (kind < 3) return this.#character();
      if (kind < 5) return `${this.#character()}-${this.#character()}`;
      if (kind === 5) return this.#one(ESCAPES);
      return this.#one([...SPECIAL, '\\b', '&&', '--', '||', '~~', '[:alpha:]', ...BAD_ESCAPES]);
    });
    return `[${this.#random(3) === 0 ? '^' : ''}${members}]`;
  }

  #character(): string {
    return this.#one(this.#random(4) === 0 ? RARE : CHARACTERS);
  }

  #junk(): string {
    return this.#one(this.#random(2) === 0 ? SPECIAL : [...CHARACTERS, ...BAD_ESCAPES]);
  }

  #some(count: number, make: () => string): string {
    return Array.from({ length: count }, make).join('');
  }

  #one(list: readonly string[]): string {
    return list[this.#random(list.length)] ?? '';
  }
}
