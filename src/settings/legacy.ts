import { TroughError } from '../errors.ts';
import { translateOriginalRules } from '../model/lambda-rules.ts';
import { type Findings, type Given } from './origin.ts';
import { type SettingKey } from './schema.ts';

/** What becomes of a key of the original: a setting of ours, several of them, or nothing, with the reason. */
type Fate =
  | { readonly to: SettingKey; readonly as?: (raw: unknown) => unknown }
  | { readonly why: string }
  | { readonly by: (given: Given, findings: Findings, rules: LegacyRules) => void };

const seconds = (raw: unknown): unknown => (typeof raw === 'number' ? `${String(raw)}s` : raw);
const bytes = (raw: unknown): unknown => (typeof raw === 'number' || typeof raw === 'bigint' ? `${String(raw)}B` : raw);
const NO_HDFS = 'this version keeps cold storage in a directory; name it with cold (an HDFS mount is one)';

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
  HOSTNAME: {
    by: (given, { given: taken }) => {
      if (!taken.has('node')) taken.set('node', given);
      if (!taken.has('advertise')) taken.set('advertise', given);
    },
  },
  MINIMUM_ASSIGNMENTS: {
    by: (given, _findings, rules) => {
      rules.copies = given;
    },
  },
  COLD_STORE_SEGMENT: {
    by: (given, _findings, rules) => {
      rules.cold = given;
    },
  },
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

/** The two settings of the original that may be Python functions; they become one list of rules. */
export interface LegacyRules {
  copies?: Given;
  cold?: Given;
}

/** The original's keys are all upper case. */
export function isLegacyKey(key: string): boolean {
  return Object.hasOwn(FATES, key);
}

/** Puts what the original's key means here among what was given. */
export function translateLegacy(key: string, given: Given, rules: LegacyRules, findings: Findings): void {
  const fate = FATES[key];
  if (fate === undefined || given.raw === null || given.raw === undefined) return;
  if ('why' in fate) findings.warnings.push(`${given.origin.place} has no meaning here: ${fate.why}`);
  else if ('by' in fate) fate.by(given, findings, rules);
  else findings.given.set(fate.to, { raw: fate.as?.(given.raw) ?? given.raw, origin: given.origin });
}

/** MINIMUM_ASSIGNMENTS and COLD_STORE_SEGMENT as `copies` and `rules`, which must not be given as well. */
export function giveLegacyRules({ copies, cold }: LegacyRules, findings: Findings): void {
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

function give(key: SettingKey, given: Given, findings: Findings): void {
  const other = findings.given.get(key);
  if (other === undefined) findings.given.set(key, given);
  else findings.problems.push(`${other.origin.place} and ${given.origin.place} say the same thing: keep one of them`);
}
