import { type ColdCare } from '../../cold/cold-care.ts';
import { type ColdStore } from '../../cold/cold-store.ts';
import { type ClusterView } from '../../messages/cluster-view.ts';
import { type ColdCheckAnswer } from '../../messages/cold-check.ts';
import { type ColdRepair } from './cold-repair.ts';
import { type ColdRows } from './cold-rows.ts';

/** What is compared, and who mends it. */
export interface StretchParts {
  readonly cold: ColdStore;
  readonly care: ColdCare;
  readonly rows: ColdRows;
  readonly view: ClusterView;
  readonly repair: ColdRepair;
}

/** What one stretch of a check has at hand. */
export interface Stretch extends StretchParts {
  /** Files whole, not only how they begin. */
  readonly read: boolean;
  /** Whether what can be mended is. */
  readonly mend: boolean;
  readonly findings: ColdCheckAnswer['findings'];
  readonly checked: ColdCheckAnswer['checked'];
  readonly signal: AbortSignal;
  /** Counts, and slows down. */
  look(what: 'segments' | 'files', many: number): Promise<void>;
  pass(bytes: number): Promise<void>;
  isOver(): boolean;
}
