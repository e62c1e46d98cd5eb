import { z } from 'zod';
import { TroughError } from '../errors.ts';
import { formatByteSize, parseByteSize } from '../model/byte-size.ts';
import { formatDuration, parseDuration } from '../model/duration.ts';

/** The machine, and the settings that stand above in the table, for a default that depends on them. */
export interface DefaultContext {
  readonly hostname: string;
  readonly cores: number;
  readonly text: (key: string) => string;
}

/** One line of the table of settings. `value` takes what a file, a variable or a flag gives: a string, or what YAML makes of it. */
export interface Setting<T> {
  readonly value: z.ZodType<T>;
  readonly fallback: (context: DefaultContext) => T;
  /** One line, with the unit and what the default means where that is not plain. */
  readonly help: string;
  readonly placeholder: string;
  /** As a file would have it: for `--print-config` and `--help`. */
  readonly show: (value: T) => unknown;
  /** The default in the help, when it depends on the machine. */
  readonly fallbackHelp?: string | undefined;
  /** The flag's name without dashes, where it is not made from the key. */
  readonly flag?: string | undefined;
  /** A list: the flag may be given several times, or once with commas. */
  readonly many?: true | undefined;
}

type Extra<T> = Partial<Pick<Setting<T>, 'fallbackHelp' | 'flag' | 'placeholder' | 'show'>>;

export function setting<T>(
  value: z.ZodType<T>,
  fallback: NoInfer<T> | ((context: DefaultContext) => NoInfer<T>),
  help: string,
  extra: Extra<T> & { many?: true } = {},
): Setting<T> {
  const byContext = typeof fallback === 'function' ? (fallback as (context: DefaultContext) => T) : () => fallback;
  return { value, fallback: byContext, help, placeholder: 'VALUE', show: (one) => one, ...extra };
}

export function duration(fallbackMs: number, help: string, leastMs = 1): Setting<number> {
  const value = text.transform(readBy(parseDuration)).refine((ms) => ms >= leastMs, {
    error: `must be ${formatDuration(leastMs)} or more`,
  });
  return setting(value, fallbackMs, help, { placeholder: 'DURATION', show: formatDuration });
}

export function byteSize<T extends number | undefined>(
  fallbackBytes: T,
  help: string,
  extra: Extra<T> = {},
): Setting<number | T> {
  const value = text.transform(readBy(parseByteSize)).refine((bytes) => bytes > 0, { error: 'must be more than 0B' });
  return setting<number | T>(value, fallbackBytes, help, {
    placeholder: 'SIZE',
    show: (bytes) => (bytes === undefined ? null : formatByteSize(bytes)),
    ...extra,
  } as Extra<number | T>);
}

export function integer<T extends number | undefined>(
  fallback: T | ((context: DefaultContext) => T),
  range: readonly [least: number, most: number],
  help: string,
  extra: Extra<T> = {},
): Setting<number | T> {
  const [least, most] = range;
  const error = `must be a whole number from ${String(least)} to ${String(most)}`;
  const value = z
    .union([z.number(), z.string().trim().regex(/^\d+$/, { error }).transform(Number)], { error })
    .refine((n) => Number.isInteger(n) && n >= least && n <= most, { error });
  return setting<number | T>(value, fallback, help, {
    placeholder: 'N',
    show: (n) => n ?? null,
    ...extra,
  } as Extra<number | T>);
}

export function port(fallback: number, help: string): Setting<number> {
  return integer(fallback, [0, 65_535], `${help} (0: any free one)`, { placeholder: 'PORT' });
}

export const text = z
  .union([z.string(), z.number().transform(String)], { error: 'must be a text' })
  .pipe(z.string().trim().min(1, { error: 'must not be empty' }));

/** A YAML list, or one text with commas. */
export function listOf<T>(one: z.ZodType<T>): z.ZodType<T[]> {
  const parts = z.preprocess(
    (raw) =>
      (Array.isArray(raw) ? (raw as unknown[]) : [raw]).flatMap((item) =>
        typeof item === 'string' ? splitCommas(item) : [item],
      ),
    z.array(one),
  );
  return parts;
}

/** A parser of the model as a zod transform: its sentence becomes the issue. */
export function readBy<T>(parse: (raw: string) => T): (raw: string, context: Pick<z.RefinementCtx, 'addIssue'>) => T {
  return (raw, context) => {
    try {
      return parse(raw);
    } catch (error) {
      context.addIssue({ code: 'custom', message: TroughError.from(error).message });
      return z.NEVER;
    }
  };
}

function splitCommas(list: string): string[] {
  return list
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}
