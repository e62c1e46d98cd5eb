import { TroughError } from '../errors.ts';
import { type LambdaBranch, parseLambda } from './lambda-parser.ts';
import { type SegmentRule } from './segment-rules.ts';

/** The two settings of the original that may hold Python: their value is a number of copies, or whether a segment is in the cold tier. */
export type LambdaSetting = 'MINIMUM_ASSIGNMENTS' | 'COLD_STORE_SEGMENT';

export interface TranslatedLambda {
  /** In order, the first that fits decides. */
  readonly rules: readonly SegmentRule[];
  /** What the lambda says of every segment that no rule fits: copies, or cold (1) or not (0). */
  readonly otherwise: number;
}

/**
 * Translates, never evaluates: a number, True or False, or `lambda ID: …` made of numbers, booleans, `A if CONDITION else B`, and conditions of
 * `ID.isnumeric()` (or isdigit, isdecimal), `int(ID) < <= > >= == NUMBER` also chained, joined by `and`.
 * Anything else is CONFIG_INVALID, with the text and what to write by hand.
 */
export function translateLambda(setting: LambdaSetting, value: string | number | boolean): TranslatedLambda {
  const branches = parse(setting, value);
  const rules: SegmentRule[] = [];
  let otherwise = 0;
  for (const { value: result, condition } of branches) {
    checkResult(setting, value, result);
    if (condition === undefined) {
      otherwise = result;
      break;
    }
    const bounds = boundsOf(condition);
    if (bounds !== undefined) rules.push({ ...bounds, ...effectOf(setting, result) });
  }
  return { rules, otherwise };
}

/**
 * Both settings as one list, as the original reads them: a cold segment has no copies of its own, whatever the number says.
 * A rule for hot segments that stands above a cold one would hide it, so every hot range of COLD_STORE_SEGMENT is refused.
 */
export function translateOriginalRules(
  minimumAssignments: string | number | undefined,
  coldStoreSegment: string | boolean | undefined,
  defaultCopies: number,
): { readonly rules: readonly SegmentRule[]; readonly copies: number } {
  const copies =
    minimumAssignments === undefined ? undefined : translateLambda('MINIMUM_ASSIGNMENTS', minimumAssignments);
  const cold = coldStoreSegment === undefined ? undefined : translateLambda('COLD_STORE_SEGMENT', coldStoreSegment);
  const coldRules = [...(cold?.rules ?? []), ...(cold?.otherwise === 1 ? [{ tier: 'cold' as const }] : [])];
  if (coldRules.some((rule) => rule.tier !== 'cold')) throw refusal('COLD_STORE_SEGMENT', coldStoreSegment ?? '');
  return { rules: [...coldRules, ...(copies?.rules ?? [])], copies: copies?.otherwise ?? defaultCopies };
}

function parse(setting: LambdaSetting, value: string | number | boolean): readonly LambdaBranch[] {
  if (typeof value === 'number') return [{ value, condition: undefined }];
  if (typeof value === 'boolean') return [{ value: value ? 1 : 0, condition: undefined }];
  const branches = parseLambda(value);
  if (branches === undefined) throw refusal(setting, value);
  return branches;
}

function checkResult(setting: LambdaSetting, value: string | number | boolean, result: number): void {
  const isFitting =
    setting === 'COLD_STORE_SEGMENT'
      ? result === 0 || result === 1
      : Number.isInteger(result) && result >= 1 && result <= 255;
  if (!isFitting) throw refusal(setting, value);
}

function effectOf(setting: LambdaSetting, result: number): SegmentRule {
  if (setting === 'MINIMUM_ASSIGNMENTS') return { copies: result };
  return { tier: result === 1 ? 'cold' : 'hot' };
}

type Condition = NonNullable<LambdaBranch['condition']>;

/** undefined: no number fits. Bounds are text, since ids go beyond 2^53. */
function boundsOf(condition: Condition): SegmentRule | undefined {
  const { from, to } = condition;
  if (from === undefined && to === undefined) return { match: '^[0-9]+$' };
  if ((to !== undefined && to < 0n) || (from !== undefined && to !== undefined && from > to)) return undefined;
  const lower = from === undefined || from <= 0n ? {} : { from: String(from) };
  const upper = to === undefined ? {} : { to: String(to) };
  const bounds = { ...lower, ...upper };
  return Object.keys(bounds).length === 0 ? { match: '^[0-9]+$' } : bounds;
}

function refusal(setting: LambdaSetting, value: string | number | boolean): TroughError {
  const example =
    setting === 'MINIMUM_ASSIGNMENTS'
      ? "rules: [{ from: 200001, copies: 2 }, { match: '^daily-', copies: 3 }]  and  copies: 1"
      : "rules: [{ to: 1000, tier: cold }, { match: '^old-', tier: cold }]";
  return new TroughError(
    'CONFIG_INVALID',
    `${setting} cannot be translated: ${String(value)}\nPython is not run here. Take the setting out and write what it means as rules, the first that fits decides; for example\n  ${example}`,
    { setting },
  );
}
