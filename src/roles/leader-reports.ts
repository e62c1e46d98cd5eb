import { saysNothing } from '../messages/copy-places.ts';
import { type CopyReport } from '../messages/copy-report.ts';
import { type SegmentAnswer, type SegmentNode, type SegmentRow } from '../messages/control.ts';
import { type LeaseDocument } from '../messages/documents.ts';
import { type NodeContext } from './node-context.ts';

type Context = Pick<NodeContext, 'view' | 'rule' | 'bySettings' | 'places'> & {
  /** undefined: the node did not answer. */
  readonly copyOf: (node: string, segment: string) => Promise<CopyReport | undefined>;
};

interface Place {
  readonly node: string;
  readonly rank: number;
  readonly target: boolean;
  readonly serving: boolean;
}

/** Where one segment is, who answers for it, and why the others do not: by the placement, the lease, and what the nodes themselves say. */
export async function describeSegment(context: Context, row: SegmentRow): Promise<SegmentAnswer> {
  const { view } = context;
  const treatment = context.rule(row.id);
  const copies = treatment.tier === 'cold' ? 0 : treatment.copies;
  const lease = view.lease(row.id)?.document;
  const { target, serving } = context.places(row.id);
  const places = placesOf(target, serving);
  const nodes = await Promise.all(places.map((place) => describePlace(context, place, row, lease)));
  const told = { ...row, copies, ...ruleOf(context, row.id), nodes };
  if (lease === undefined) return told;
  const { node, epoch, state, version, unpromoted } = lease;
  return { ...told, lease: { node, epoch, state, version, unpromoted } };
}

function ruleOf({ view }: Context, id: string): Pick<SegmentAnswer, 'rule'> {
  const rule = view.rule(id)?.document;
  if (rule === undefined || saysNothing(rule)) return {};
  const { copies, tier, hot } = rule;
  return { rule: { copies, tier, hotCopies: hot?.copies ?? null } };
}

function placesOf(target: readonly string[], serving: readonly string[]): Place[] {
  const leaving = serving.filter((node) => !target.includes(node));
  return [
    ...target.map((node, rank) => ({ node, rank, target: true, serving: serving.includes(node) })),
    ...leaving.map((node) => ({ node, rank: serving.indexOf(node), target: false, serving: true })),
  ];
}

async function describePlace(
  { view, copyOf }: Context,
  place: Place,
  row: SegmentRow,
  lease: LeaseDocument | undefined,
): Promise<SegmentNode> {
  const entry = view.node(place.node);
  const state = entry?.state ?? 'lost';
  const isReachable = state === 'alive' || state === 'suspect';
  const report = isReachable ? ((await copyOf(place.node, row.id)) ?? null) : null;
  const { served, why } = judge({ ...place, state, report }, row, lease);
  return { ...place, zone: entry?.document.zone ?? null, state, report, served, why };
}

type Judged = Pick<SegmentNode, 'node' | 'target' | 'serving' | 'state' | 'report'>;

/** In the order in which a read finds it out. */
function judge(place: Judged, row: SegmentRow, lease: LeaseDocument | undefined): { served: boolean; why: string } {
  const { node, serving, target, state, report } = place;
  const not = (why: string): { served: boolean; why: string } => ({ served: false, why });
  if (state === 'lost') return not('the node is silent and counts as lost');
  if (state === 'stopped') return not('the node was stopped');
  if (report === null) return not('the node did not say what it has');
  if (report.writable) return { served: true, why: 'open for writing here: this node answers' };
  if (lease?.state === 'held' && lease.node === node) return not('it holds the lease and has not opened the segment');
  if (report.copy === null) return not(report.wanted === null ? nothingHere(row, target) : wantedNote(report.wanted));
  const have = `version ${String(report.copy.version)} is here`;
  if (lease?.state === 'held') return not(`${have}; ${lease.node} has it open for writing and answers`);
  const published = lease?.version ?? 0;
  if (report.copy.version < published)
    return not(`${have} and is older than ${String(published)}, which the lease names${stillComing(report.wanted)}`);
  if (!serving)
    return not(`${have}; the nodes that served before do so until all new copies of this placement are complete`);
  const note = target ? 'verified, serves' : 'verified, serves until its copies elsewhere are complete';
  return { served: true, why: `version ${String(report.copy.version)} ${note}${stillComing(report.wanted)}` };
}

function nothingHere({ version }: SegmentRow, target: boolean): string {
  if (version === 0) return 'nothing was published yet: copies come with the first promote';
  return target ? 'no copy here, and the node has not asked for it yet' : 'no copy here any more';
}

function wantedNote({ version, fetching, failure }: NonNullable<CopyReport['wanted']>): string {
  const what = `version ${String(version)}`;
  if (fetching) return `${what} is being fetched`;
  if (failure === null) return `${what} waits for its turn to be fetched`;
  const said = `${failure.message} (${failure.code})`;
  if (failure.setAside) return `${what} cannot be fetched, its file in cold storage is bad: ${said}`;
  return `${what} could not be fetched, next try in ${(failure.restMs / 1_000).toFixed(0)} s: ${said}`;
}

function stillComing(wanted: CopyReport['wanted']): string {
  return wanted === null ? '' : `; ${wantedNote(wanted)}`;
}
