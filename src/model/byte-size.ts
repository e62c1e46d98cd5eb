import { TroughError } from '../errors.ts';

const POWERS = ['', 'k', 'm', 'g', 't', 'p'];
const SHAPE = /^(\d+(?:\.\d+)?)\s*([kmgtp]?)(i?)b$/i;

/** `512B`, `64MB` (10^6), `1GiB` (2^30) in bytes. REQUEST_INVALID for anything else: a number without a unit could be any of them. */
export function parseByteSize(text: string): number {
  const [, digits, power = '', binary = ''] = SHAPE.exec(text.trim()) ?? [];
  const isSize = digits !== undefined && !(power === '' && binary !== '');
  if (isSize)
    return Math.round(Number(digits) * (binary === '' ? 1_000 : 1_024) ** POWERS.indexOf(power.toLowerCase()));
  const hint = /^\d+$/.test(text.trim()) ? ` needs a unit: did you mean ${text.trim()}B?` : ' is not a size;';
  throw new TroughError('REQUEST_INVALID', `'${text.slice(0, 40)}'${hint} (sizes are written 512B 64MB 1GiB)`);
}

/** The shortest exact form; `parseByteSize` reads it back. */
export function formatByteSize(bytes: number): string {
  let best = `${String(bytes)}B`;
  for (const [base, suffix] of [
    [1_000, 'B'],
    [1_024, 'iB'],
  ] as const) {
    for (const [power, letter] of ['', 'k', 'M', 'G', 'T', 'P'].entries()) {
      const unit = base ** power;
      const text = `${String(bytes / unit)}${base === 1_024 ? letter.toUpperCase() : letter}${suffix}`;
      if (power > 0 && bytes % unit === 0 && bytes >= unit && text.length < best.length) best = text;
    }
  }
  return best;
}

/** For people: three digits and a unit, such as `1.25 GB`. */
export function roughByteSize(bytes: number): string {
  let power = 0;
  let value = bytes;
  while (value >= 999.5 && power < POWERS.length - 1) {
    value /= 1_000;
    power += 1;
  }
  const digits = power === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${['B', 'kB', 'MB', 'GB', 'TB', 'PB'][power] ?? 'B'}`;
}
