import { z } from 'zod';

export const Tier = z.enum(['hot', 'cold']);
export type Tier = z.infer<typeof Tier>;

/** More than this nobody has machines for. */
const MOST_RULED_COPIES = 255;

export const RuledCopies = z.int().min(1).max(MOST_RULED_COPIES);
const Treatment = z.object({ copies: z.int(), tier: Tier });

/** The rule of one segment: what it gets in place of what the settings say. */
export const RuleRequest = z.discriminatedUnion('op', [
  z.object({ op: z.literal('list') }),
  /** What is not named is as the settings say. */
  z.object({
    op: z.literal('set'),
    segment: z.string(),
    copies: RuledCopies.optional(),
    tier: Tier.optional(),
  }),
  z.object({ op: z.literal('remove'), segment: z.string() }),
]);
export const SegmentRuleRow = z.object({
  segment: z.string(),
  /** As an operator asked; null: as the settings say. */
  copies: z.int().nullable(),
  tier: Tier.nullable(),
  sinceMs: z.number(),
  /** So many copies because it is read so much. */
  hot: z.object({ copies: z.int(), sinceMs: z.number() }).nullable(),
  /** What it gets in all, and what the settings say. `copies` means nothing in tier cold. */
  gets: Treatment,
  bySettings: Treatment,
  /** For so many of its copies there is a node; 0 in tier cold. */
  placed: z.int(),
});
export const RuleAnswer = z.object({
  /** All of them; of one that was set, that one; none of one that was removed, unless it is read so much. */
  rules: z.array(SegmentRuleRow),
  /** False: it was so before. */
  changed: z.boolean(),
});
export type RuleRequest = z.infer<typeof RuleRequest>;
export type SegmentRuleRow = z.infer<typeof SegmentRuleRow>;
export type RuleAnswer = z.infer<typeof RuleAnswer>;
