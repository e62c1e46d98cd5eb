/** No character beyond it has another case. */
const LAST_CASED = 0x1e943;
const CASED = /\p{Changes_When_Casemapped}/u;

/** Code points that Python's IGNORECASE takes for the same, by each of them; those that stand alone are left out. */
type CaseClasses = ReadonlyMap<number, readonly number[]>;

let unicode: CaseClasses | undefined;
let ascii: CaseClasses | undefined;

/** A character that stands for itself, safe anywhere in a pattern with the flag v. */
export function literal(char: string): string {
  if (/^[\p{L}\p{N}_]$/u.test(char)) return char;
  const code = char.codePointAt(0) ?? 0;
  return `\\u{${code.toString(16)}}`;
}

/** What a character matches besides itself, as the inside of a class; under the flag ASCII only letters of ASCII have another case. */
export function otherCases(codePoint: number, isAscii: boolean): string {
  const same = classesOf(isAscii).get(codePoint) ?? [];
  return listed(same.filter((other) => other !== codePoint));
}

/** What a range matches besides its own characters, as the inside of a class. */
export function otherCasesOfRange(low: number, high: number, isAscii: boolean): string {
  const isInside = (codePoint: number): boolean => codePoint >= low && codePoint <= high;
  const classes = classesOf(isAscii);
  const others = new Set<number>();
  for (const [codePoint, same] of classes) {
    if (!isInside(codePoint)) continue;
    for (const other of same) if (!isInside(other)) others.add(other);
  }
  return listed(others);
}

function listed(codePoints: Iterable<number>): string {
  return Array.from(codePoints, (codePoint) => literal(String.fromCodePoint(codePoint))).join('');
}

/** Made at the first pattern that wants it: some 20 ms. */
function classesOf(isAscii: boolean): CaseClasses {
  return isAscii ? (ascii ??= caseClasses(0x7f)) : (unicode ??= caseClasses(LAST_CASED));
}

/**
 * Python compares characters in lower case, and takes lower-case characters with the same upper case for the same
 * (sre_compile, _casefix). Case folding, which JavaScript's flag i does, is not that: it leaves out the Turkish i.
 */
function caseClasses(last: number): CaseClasses {
  const byUpper = new Map<string, number[]>();
  const byLower = new Map<number, number[]>();
  for (let codePoint = 0; codePoint <= last; codePoint += 1) {
    const char = String.fromCodePoint(codePoint);
    if (!CASED.test(char)) continue;
    push(byLower, simpleLower(char), codePoint);
    push(byUpper, char.toUpperCase(), codePoint);
  }
  const classes = new Map<number, readonly number[]>();
  for (const sharing of byUpper.values()) {
    const lowers = new Set(sharing.map((codePoint) => simpleLower(String.fromCodePoint(codePoint))));
    const members = Array.from(lowers).flatMap((lower) => byLower.get(lower) ?? []);
    if (members.length < 2) continue;
    for (const member of members) if ((classes.get(member)?.length ?? 0) < members.length) classes.set(member, members);
  }
  return classes;
}

/** One character to one, as Python's `re` has it. */
function simpleLower(char: string): number {
  return char === '\u0130' ? 0x69 : (char.toLowerCase().codePointAt(0) ?? 0);
}

function push<Key>(lists: Map<Key, number[]>, key: Key, value: number): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
