import { type ManifestRow } from '../../messages/control.ts';
import { type SegmentTreatment } from '../../model/segment-rules.ts';

/** What is in cold storage of these segments is new. */
export interface CatalogueChange {
  readonly kind: 'changed';
  readonly rows: readonly (ManifestRow & SegmentTreatment)[];
}

/** Tier or copies of segments changed: nodes that hold them may have to give them up. */
export interface CatalogueRuled {
  readonly kind: 'ruled';
  readonly rows: CatalogueChange['rows'];
}
