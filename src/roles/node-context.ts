import { type QueryObserver } from '../actors/queries/query-observer.ts';
import { type Bus } from '../bus/bus.ts';
import { type ColdCare } from '../cold/cold-care.ts';
import { type ColdStore } from '../cold/cold-store.ts';
import { type Disk } from '../disk/disk.ts';
import { type Engine } from '../engine/engine.ts';
import { type HttpMetrics } from '../http/metrics.ts';
import { type Journal } from '../journal/journal.ts';
import { type Log } from '../log.ts';
import { type ClusterView, type LeaseEntry } from '../messages/cluster-view.ts';
import { type SlotPlaces } from '../messages/copy-places.ts';
import { type Subjects } from '../messages/subjects.ts';
import { type MetadataStore } from '../metadata/metadata-store.ts';
import { type DataPaths } from '../model/paths.ts';
import { type SegmentTreatment } from '../model/segment-rules.ts';
import { type Clock } from '../runtime/clock.ts';
import { type Supervisor } from '../runtime/supervisor.ts';
import { type Settings } from '../settings/schema.ts';
import { type BusCalls } from './bus-calls.ts';
import { type LocalParts } from './local-parts.ts';
import { type PlacementView } from './placement-view.ts';
import { type RolePorts } from './role-ports.ts';

/** What every role of this process builds on. */
export interface NodeContext {
  readonly settings: Settings;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: () => number;
  /** 128 random bits as 32 hexadecimal digits, others at each call. */
  readonly seed: () => string;
  readonly supervisor: Supervisor;
  readonly bus: Bus;
  readonly store: MetadataStore;
  /** Absent: what is written is on the node's own disk alone until it is promoted. */
  readonly journal?: Journal;
  readonly cold: ColdStore;
  /** The same storage, for the copies that are kept here: its fetches give way to everything else. Absent: `cold` is as good. */
  readonly coldForCopies?: ColdStore;
  /** Absent: this cold storage offers no way to be looked through. */
  readonly care?: ColdCare;
  readonly engine: Engine;
  readonly disk: Disk;
  /** Finds names by a regular expression in Python's syntax. REQUEST_INVALID. */
  readonly pattern: (text: string) => (names: readonly string[]) => ReadonlySet<string>;
  readonly paths: DataPaths;
  readonly subjects: Subjects;
  readonly metrics: HttpMetrics;
  readonly ports: RolePorts;
  /** Every query that ended on this node. */
  readonly queries: QueryObserver;
  readonly view: ClusterView;
  readonly placement: PlacementView;
  /** The largest number of copies that any segment is to have. */
  readonly mostCopies: number;
  readonly calls: BusCalls;
  /** Calls back at each change of a lease. */
  readonly onLease: (hear: (lease: LeaseEntry) => void) => void;
  /** Calls back when the rule of one segment came, changed or went. */
  readonly onRule: (hear: (segment: string) => void) => void;
  /** Copies, hot files and counts of this process: each role adds its own, the others read them. */
  readonly parts: LocalParts;
  /** What the settings say of a segment. */
  readonly bySettings: (id: string) => SegmentTreatment;
  /** What a segment gets: by its own rule, else by the settings. */
  readonly rule: (id: string) => SegmentTreatment;
  /** Where copies of a segment are to be, and where they are served, by the view. */
  readonly places: (id: string) => SlotPlaces;
  readonly self: { readonly node: string; readonly session: string };
  /** True while the leader is known to count this process as alive. */
  readonly confirmed: () => boolean;
  /** Changes when it is confirmed again after it was not for a while. */
  readonly lapses: () => number;
  /** False when the view may be more than a moment behind the store. */
  readonly isFresh: () => boolean;
  readonly isConnected: () => boolean;
}
