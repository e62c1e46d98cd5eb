import { type ClusterView } from '../messages/cluster-view.ts';
import { type SlotPlaces } from '../messages/copy-places.ts';
import { nodesOf } from '../model/placement.ts';
import { decodePlacement, type PlacementDocument } from '../model/placement-document.ts';
import { type Slot } from '../model/slot.ts';

const NOWHERE: SlotPlaces = { target: [], serving: [] };

/** The placement that the view has, decoded once per revision. */
export class PlacementView {
  readonly #view: ClusterView;
  #revision = -1;
  #document: PlacementDocument | undefined;

  constructor(view: ClusterView) {
    this.#view = view;
  }

  get document(): PlacementDocument | undefined {
    const stored = this.#view.placement();
    if (stored === undefined) return undefined;
    if (stored.revision !== this.#revision) {
      this.#document = decodePlacement(stored.value);
      this.#revision = stored.revision;
    }
    return this.#document;
  }

  of(slot: Slot): SlotPlaces {
    const document = this.document;
    if (document === undefined) return NOWHERE;
    return { target: nodesOf(document.target, slot), serving: nodesOf(document.serving, slot) };
  }
}
