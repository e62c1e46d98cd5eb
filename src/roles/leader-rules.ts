import { changeDocument } from '../actors/shared/change-document.ts';
import { TroughError } from '../errors.ts';
import { type RuleEntry } from '../messages/cluster-view.ts';
import { emptyRule, saysNothing } from '../messages/copy-places.ts';
import { decodeDocument, encodeDocument, RuleDocument } from '../messages/documents.ts';
import { keys } from '../messages/keys.ts';
import { type RuleAnswer, type RuleRequest, type SegmentRuleRow } from '../messages/segment-rule.ts';
import { segmentUnknown } from '../model/segment-unknown.ts';
import { type NodeContext } from './node-context.ts';

type Context = Pick<NodeContext, 'view' | 'store' | 'clock' | 'log' | 'rule' | 'bySettings' | 'places'> & {
  /** Whether the catalogue has it. */
  readonly knows: (segment: string) => Promise<boolean>;
};
type SetRequest = Extract<RuleRequest, { op: 'set' }>;

/**
 * Keeps in the store what an operator asks for one segment, or forgets it: what is done about it follows from that, under any leader. SEGMENT_UNKNOWN;
 * REQUEST_INVALID for more copies than there are nodes; SEGMENT_LEASED for a segment that is written and is to have no copies.
 */
export async function answerRule(context: Context, request: RuleRequest): Promise<RuleAnswer> {
  if (request.op === 'list') return { rules: listed(context), changed: false };
  const changed = request.op === 'set' ? await set(context, request) : await remove(context, request.segment);
  const entry = context.view.rule(request.segment);
  return { rules: entry === undefined || saysNothing(entry.document) ? [] : [rowOf(context, entry)], changed };
}

async function set(context: Context, request: SetRequest): Promise<boolean> {
  const { copies = null, tier = null, segment } = request;
  await check(context, request);
  return write(context, segment, (before) => {
    if (before?.copies === copies && before.tier === tier) return undefined;
    const sinceMs = context.clock.now();
    return { ...(before ?? emptyRule(segment, sinceMs)), copies, tier, sinceMs };
  });
}

async function check(context: Context, { segment, copies, tier }: SetRequest): Promise<void> {
  const invalid = (message: string): TroughError => new TroughError('REQUEST_INVALID', message, { segment });
  if (copies === undefined && tier === undefined) throw invalid("a rule says 'copies', 'tier', or both");
  if (copies !== undefined && tier === 'cold') throw invalid('a segment of the cold tier has no copies');
  if (!(await context.knows(segment))) throw segmentUnknown(segment);
  const nodes = context.view
    .nodes()
    .filter(
      ({ document, state }) => document.roles.includes('sync-local') && (state === 'alive' || state === 'suspect'),
    );
  if (copies !== undefined && copies > nodes.length) {
    const [many, there] = [String(copies), String(nodes.length)];
    throw invalid(`${many} copies need ${many} nodes, and there are ${there} that keep copies`);
  }
  const lease = context.view.lease(segment)?.document;
  if (tier === 'cold' && lease?.state === 'held') {
    const message = `'${segment}' is open for writing on '${lease.node}': release it before it goes to the cold tier`;
    throw new TroughError('SEGMENT_LEASED', message, { segment, node: lease.node });
  }
}

function remove(context: Context, segment: string): Promise<boolean> {
  return write(context, segment, (before) => {
    if (before === undefined || (before.copies === null && before.tier === null)) return undefined;
    // The leader takes the document away when it says nothing any more and its nodes are given up.
    return { ...before, copies: null, tier: null, sinceMs: context.clock.now() };
  });
}

/** False when there was nothing to change. */
async function write(
  context: Context,
  segment: string,
  change: (before: RuleDocument | undefined) => RuleDocument | undefined,
): Promise<boolean> {
  const key = keys.rule(segment);
  // The leader writes these documents too.
  const outcome = await changeDocument(context, key, (entry) => {
    const next = change(entry === undefined ? undefined : decodeDocument(RuleDocument, key, entry.value));
    return next === undefined ? undefined : encodeDocument(next);
  });
  if (outcome === 'same') return false;
  context.log.info({ segment }, 'the rule of one segment was changed');
  return true;
}

function listed(context: Context): SegmentRuleRow[] {
  return Array.from(context.view.rules())
    .filter(({ document }) => !saysNothing(document))
    .map((entry) => rowOf(context, entry))
    .sort((a, b) => (a.segment < b.segment ? -1 : 1));
}

function rowOf({ rule, bySettings, places }: Context, { document }: RuleEntry): SegmentRuleRow {
  const { segment, copies, tier, hot, sinceMs } = document;
  const gets = rule(segment);
  const placed = gets.tier === 'cold' ? 0 : places(segment).target.length;
  return { segment, copies, tier, sinceMs, hot, gets, placed, bySettings: bySettings(segment) };
}
