import { TroughError } from '../errors.ts';

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const SHAPE = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/;

/** `500ms`, `5s`, `2m`, `1.5h`, `7d` in milliseconds. REQUEST_INVALID for anything else: a number without a unit could be any of them. */
export function parseDuration(text: string): number {
  const [, digits = '', unit = ''] = SHAPE.exec(text.trim()) ?? [];
  const unitMs = UNITS_MS[unit];
  if (unitMs !== undefined) return Math.round(Number(digits) * unitMs);
  const hint = /^\d+(\.\d+)?$/.test(text.trim())
    ? ` needs a unit: did you mean ${text.trim()}s?`
    : ' is not a duration;';
  throw new TroughError('REQUEST_INVALID', `'${text.slice(0, 40)}'${hint} (durations are written 500ms 5s 2m 1h)`);
}

/** The shortest exact form that `parseDuration` reads. */
export function formatDuration(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's']) {
    const unitMs = UNITS_MS[unit] ?? 1;
    if (ms >= unitMs * (unit === 's' ? 1 : 2) && ms % unitMs === 0) return `${String(ms / unitMs)}${unit}`;
    if (ms === unitMs) return `1${unit}`;
  }
  return `${String(ms)}ms`;
}
