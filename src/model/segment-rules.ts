import { z } from 'zod';
import { TroughError } from '../errors.ts';

/** A bound of an id that is a number: digits, as a number or as text, since ids go beyond 2^53. Inclusive on both ends. */
const Bound = z.union([z.int().nonnegative(), z.string().regex(/^\d+$/, 'must be digits')]);

/** One rule: which segments it is for (all conditions that are given must hold), and what they get. */
export const SegmentRuleSchema = z.strictObject({
  /** A JavaScript regular expression, found anywhere in the id. */
  match: z.string().optional(),
  /** Compare an id that is all digits as a number; an id that is not never fits a rule with bounds. */
  from: Bound.optional(),
  to: Bound.optional(),
  copies: z.int().min(1).max(255).optional(),
  tier: z.enum(['hot', 'cold']).optional(),
});
export const SegmentRulesSchema = z.array(SegmentRuleSchema);
export type SegmentRule = z.infer<typeof SegmentRuleSchema>;

/** What a segment gets. `copies` is meaningless for tier `cold`, which has no assigned copies. */
export interface SegmentTreatment {
  readonly copies: number;
  readonly tier: 'hot' | 'cold';
}

/** The first rule that fits decides; without one a segment is hot with `defaultCopies` copies. CONFIG_INVALID names the rule that cannot be used. */
export function compileRules(rules: readonly SegmentRule[], defaultCopies: number): (id: string) => SegmentTreatment {
  const compiled = rules.map((rule, index) => ({
    fits: compileRule(rule, index),
    treatment: { copies: rule.copies ?? defaultCopies, tier: rule.tier ?? 'hot' },
  }));
  const otherwise: SegmentTreatment = { copies: defaultCopies, tier: 'hot' };
  return (id) => compiled.find(({ fits }) => fits(id))?.treatment ?? otherwise;
}

/** The largest number of copies that the rules can ask for: how long the ranked list of a slot has to be. */
export function mostCopies(rules: readonly SegmentRule[], defaultCopies: number): number {
  return rules.reduce(
    (most, rule) => (rule.tier === 'cold' ? most : Math.max(most, rule.copies ?? defaultCopies)),
    defaultCopies,
  );
}

function compileRule(rule: SegmentRule, index: number): (id: string) => boolean {
  const pattern = rule.match === undefined ? undefined : compilePattern(rule.match, index);
  const from = rule.from === undefined ? undefined : BigInt(rule.from);
  const to = rule.to === undefined ? undefined : BigInt(rule.to);
  if (from !== undefined && to !== undefined && from > to) {
    throw new TroughError(
      'CONFIG_INVALID',
      `rule ${String(index + 1)} fits no segment: from ${String(from)} is above to ${String(to)}`,
      { rule: index + 1 },
    );
  }
  return (id) => (pattern?.test(id) ?? true) && ((from === undefined && to === undefined) || isWithin(id, from, to));
}

function compilePattern(text: string, index: number): RegExp {
  try {
    return new RegExp(text, 'u');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new TroughError(
      'CONFIG_INVALID',
      `rule ${String(index + 1)} has a match that cannot be used: ${reason}`,
      { rule: index + 1, match: text },
      error,
    );
  }
}

function isWithin(id: string, from: bigint | undefined, to: bigint | undefined): boolean {
  if (!/^[0-9]+$/.test(id)) return false;
  const number = BigInt(id);
  return (from === undefined || number >= from) && (to === undefined || number <= to);
}
