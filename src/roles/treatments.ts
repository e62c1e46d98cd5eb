import { type ClusterView } from '../messages/cluster-view.ts';
import { placesOf, treatmentOf } from '../messages/copy-places.ts';
import { type RuleDocument } from '../messages/documents.ts';
import { compileRules, type SegmentTreatment } from '../model/segment-rules.ts';
import { slotOf } from '../model/slot.ts';
import { type Settings } from '../settings/schema.ts';
import { type NodeContext } from './node-context.ts';
import { PlacementView } from './placement-view.ts';

/** What each segment gets and where its copies are, by the settings, the placement and its own rule, as the view has them. */
export function treatments(
  { rules, copies }: Settings,
  view: ClusterView,
): Pick<NodeContext, 'placement' | 'bySettings' | 'rule' | 'places'> {
  const placement = new PlacementView(view);
  const bySettings = compileRules(rules, copies);
  const ruleOf = (id: string): RuleDocument | undefined => view.rule(id)?.document;
  const rule = (id: string): SegmentTreatment => treatmentOf(bySettings(id), ruleOf(id));
  return {
    ...{ placement, bySettings, rule },
    places: (id) => placesOf(placement.of(slotOf(id)), rule(id), ruleOf(id)),
  };
}
