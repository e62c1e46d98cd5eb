import { TroughError } from '../errors.ts';
import { translateOriginalRules } from '../model/lambda-rules.ts';
import { type Findings, give, type Given } from './origin.ts';
import { type SettingKey } from './schema.ts';

/** What becomes of a key of the original: a setting of ours, nothing, with the reason, or what it is depends on the rest of the file. */
type Fate =
  | { readonly to: SettingKey; readonly as?: (raw: unknown) => unknown }
  | { readonly why: string }
  | { readonly later: keyof LegacyLater };

const seconds = (raw: unknown): unknown => (typeof raw === 'number' ? `${String(raw)}s` : raw);
const bytes = (raw: unknown): unknown => (typeof raw === 'number' || typeof raw === 'bigint' ? `${String(raw)}B` : raw);
const NO_HDFS =
  'HDFS is reached by its web address; name it with cold, for example webhdfs://HDFS_HOST:9870/HDFS_PATH (50070 before Hadoop 3)';

const FATES: Readonly<Record<string, Fate>> = {
  LOCAL_DATA: { to: 'data' },
  READ_PORT: { to: 'readPort' },
  WRITE_PORT: { to: 'writePort' },
  SYNC_SERVER_PORT: { to: 'syncMasterPort' },
  SYNC_LOCAL_PORT: { to: 'syncLocalPort' },
  STORAGE_IN_BYTES: { to: 'quotaBytes', as: bytes },
  SYNC_LOOP_TIMING: { to: 'coldScanIntervalMs', as: seconds },
  COPY_THREAD_POOL_SIZE: { to: 'copyParallel' },
  LOG_LEVEL: { to: 'logLevel' },
  EXTERNAL_IP: { to: 'advertise' },
  HOSTNAME: { later: 'hostname' },
  MINIMUM_ASSIGNMENTS: { later: 'copies' },
  COLD_STORE_SEGMENT: { later: 'cold' },
  MAXIMUM_ASSIGNMENTS: { why: 'a segment has exactly as many copies as copies and rules say' },
  RETHINKDB_HOSTS: { why: 'metadata is kept in NATS; name the servers with nats' },
  HDFS_PATH: { why: NO_HDFS },
  HDFS_HOST: { why: NO_HDFS },
  HDFS_PORT: { why: NO_HDFS },
  ELECTION_CYCLE: { why: 'leadership is renewed every 2 s and moves within 10 s' },
  RUN_AS_COLD_STORAGE_NODE: {
    why: 'every reader serves segments of the cold tier, through a cache of readCache bytes',
  },
  COLD_STORAGE_PATH: { why: 'files are found wherever they lie under cold' },
  SENTRY_DSN: { why: 'errors are log lines on stderr and counters at /metrics' },
};

/** What can only be translated when the whole file is known. */
export interface LegacyLater {
  hostname?: Given;
  /** This and `cold` may be Python functions, and become one list of rules. */
  copies?: Given;
  cold?: Given;
}

/** The original's keys are all upper case. */
export function isLegacyKey(key: string): boolean {
  return Object.hasOwn(FATES, key);
}

/** Puts what the original's key means here among what was given. */
export function translateLegacy(key: string, given: Given, later: LegacyLater, findings: Findings): void {
  const fate = FATES[key];
  if (fate === undefined || given.raw === null || given.raw === undefined) return;
  if ('why' in fate) findings.warnings.push(`${given.origin.place} has no meaning here: ${fate.why}`);
  else if ('later' in fate) later[fate.later] = given;
  else give(fate.to, { raw: fate.as?.(given.raw) ?? given.raw, origin: given.origin }, findings);
}

/** The end of a file: HOSTNAME as `node`, and as `advertise` unless that is known; the two others as `copies` and `rules`. */
export function finishLegacy(later: LegacyLater, findings: Findings): void {
  const { hostname } = later;
  if (hostname !== undefined) give('node', hostname, findings);
  if (hostname !== undefined && !findings.given.has('advertise')) give('advertise', hostname, findings);
  finishRules(later, findings);
}

function finishRules({ copies, cold }: LegacyLater, findings: Findings): void {
  const origin = (cold ?? copies)?.origin;
  if (origin === undefined) return;
  try {
    const asked = translateOriginalRules(
      copies?.raw as string | number | undefined,
      cold?.raw as string | boolean | undefined,
      ABSENT,
    );
    if (asked.copies !== ABSENT) give('copies', { raw: asked.copies, origin: copies?.origin ?? origin }, findings);
    if (asked.rules.length > 0) give('rules', { raw: asked.rules, origin }, findings);
  } catch (error) {
    findings.problems.push(`${origin.place}: ${TroughError.from(error).message}`);
  }
}

/** Stands for "the original's file says nothing of it". */
const ABSENT = 0;
