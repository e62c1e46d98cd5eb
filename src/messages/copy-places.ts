import { type SegmentTreatment } from '../model/segment-rules.ts';
import { type RuleDocument } from './documents.ts';

/** The nodes of a slot, as one placement names them, best first. */
export interface SlotPlaces {
  readonly target: readonly string[];
  readonly serving: readonly string[];
}

type Rule = Pick<RuleDocument, 'copies' | 'tier' | 'hot' | 'extra'>;

/** A rule that asks for nothing yet, by no leader. */
export function emptyRule(segment: string, sinceMs: number): RuleDocument {
  return { segment, copies: null, tier: null, sinceMs, hot: null, extra: [], term: 0 };
}

/** Whether neither an operator nor the leader asks for anything by it. */
export function saysNothing({ copies, tier, hot }: Omit<Rule, 'extra'>): boolean {
  return copies === null && tier === null && hot === null;
}

/** What a segment gets: as the settings say, unless it has a rule of its own. */
export function treatmentOf(settings: SegmentTreatment, rule: Rule | undefined): SegmentTreatment {
  if (rule === undefined) return settings;
  const copies = Math.max(rule.copies ?? settings.copies, rule.hot?.copies ?? 0);
  return { copies, tier: rule.tier ?? settings.tier };
}

/** Where the copies of one segment are to be, and where they are served: the first nodes of its slot, then those that its own rule names. */
export function placesOf(slot: SlotPlaces, { copies }: SegmentTreatment, rule: Rule | undefined): SlotPlaces {
  const target = slot.target.slice(0, copies);
  const serving = slot.serving.slice(0, copies);
  const extra = rule?.extra ?? [];
  if (extra.length === 0) return { target, serving };
  const ready = extra.filter((one) => one.serving);
  return { target: joined(target, extra), serving: joined(serving, ready) };
}

/** Whether a copy of it belongs on the node: neither to be removed nor a stranger there. */
export function isPlacedOn(
  node: string,
  slot: SlotPlaces,
  treatment: SegmentTreatment,
  rule: Rule | undefined,
): boolean {
  if (treatment.tier === 'cold') return false;
  const { target, serving } = placesOf(slot, treatment, rule);
  return target.includes(node) || serving.includes(node);
}

function joined(nodes: readonly string[], extra: Rule['extra']): string[] {
  return Array.from(new Set([...nodes, ...extra.map(({ node }) => node)]));
}
