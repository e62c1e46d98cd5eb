import { join } from 'node:path';
import { z } from 'zod';
import { parseColdPlace } from '../model/cold-place.ts';
import { parseNodeId } from '../model/node-id.ts';
import { compileRules, mostCopies, SegmentRulesSchema } from '../model/segment-rules.ts';
import { byteSize, duration, integer, listOf, port, readBy, setting, text, type Setting } from './values.ts';

const ROLES = ['reader', 'writer', 'sync-master', 'sync-local'] as const;

const oneOf = <const T extends readonly [string, ...string[]]>(...names: T) =>
  z.enum(names, { error: (issue) => `must be one of ${names.join(', ')}, not '${String(issue.input)}'` });

const LogLevel = z.preprocess(
  (raw) => (typeof raw === 'string' ? (PYTHON_LEVELS[raw.toLowerCase()] ?? raw.toLowerCase()) : raw),
  oneOf('debug', 'info', 'warn', 'error', 'silent'),
);
const PYTHON_LEVELS: Readonly<Record<string, string>> = { warning: 'warn', critical: 'error', notset: 'debug' };

const Metadata = text.refine((value) => value === 'nats', {
  error: "must be 'nats': this version keeps its metadata in NATS and nowhere else",
});
const ColdPlace = text.superRefine((value, context) => {
  readBy(parseColdPlace)(value, context);
});
const ApiPath = text.refine((value) => /^(\/[A-Za-z0-9._~-]+)+$/.test(value), {
  error: 'must be a path such as /gateway/default/webhdfs/v1',
});
const NatsUrl = text.refine((value) => /^(nats|tls):\/\/[^/\s]+$/.test(value) || /^[\w.-]+(:\d+)?$/.test(value), {
  error: 'must be the address of a NATS server, such as nats://10.0.0.5:4222',
});
const Prefix = text.refine((value) => /^[A-Za-z0-9_-]+$/.test(value), { error: 'must be one word of A-Za-z0-9_-' });
const MOST_COPIES = 8;
const Rules = z
  .preprocess((raw) => (typeof raw === 'string' ? parseJson(raw) : raw), SegmentRulesSchema)
  .refine((rules) => mostCopies(rules, 1) <= MOST_COPIES, {
    error: `a segment has ${String(MOST_COPIES)} copies at most`,
  })
  .superRefine((rules, context) => {
    readBy(() => compileRules(rules, 1))('', context);
  });
const WILDCARDS: readonly string[] = ['0.0.0.0', '::'];

/**
 * Every setting, once. The key gives its names: `queryDeadlineMs` is `queryDeadline` in a file, TROUGH_QUERY_DEADLINE in the
 * environment and `--query-deadline` on the command line. The order is that of `--help`.
 */
export const SETTINGS = {
  roles: setting(
    listOf(oneOf(...ROLES)).refine((roles) => roles.length > 0, { error: 'must name a role' }),
    [...ROLES],
    'roles that this process runs: reader, writer, sync-master, sync-local',
    { flag: 'role', placeholder: 'ROLE', many: true, fallbackHelp: 'all four' },
  ),
  data: setting(text, './data', 'directory of everything that this process keeps; one process to a directory', {
    placeholder: 'DIR',
  }),
  node: setting(
    text.transform(readBy(parseNodeId)),
    (context) => parseNodeId(asNodeName(context.hostname)),
    'name of this node, the same after a restart, its own in the cluster',
    { placeholder: 'NAME', fallbackHelp: 'the host name' },
  ),
  zone: setting(
    text,
    'default',
    'what fails together (rack, site): two copies of a segment are kept in different zones',
    { placeholder: 'ZONE' },
  ),
  bind: setting(text, '127.0.0.1', 'address on which the ports listen; 0.0.0.0 for all', { placeholder: 'ADDRESS' }),
  advertise: setting(
    text,
    (context) => (WILDCARDS.includes(context.text('bind')) ? context.text('node') : context.text('bind')),
    'host name or address under which others reach this node',
    { placeholder: 'HOST', fallbackHelp: 'bind, or the node name when bind is 0.0.0.0 or ::' },
  ),
  readPort: port(6444, 'port of the reader'),
  writePort: port(6222, 'port of the writer'),
  syncMasterPort: port(6111, 'port of the sync-master'),
  syncLocalPort: port(6112, 'port of the sync-local'),
  nats: setting(listOf(NatsUrl), [], 'NATS servers of the cluster', {
    placeholder: 'URL',
    many: true,
    fallbackHelp: 'a nats-server of its own on loopback',
  }),
  natsPort: port(4222, 'port of the nats-server that trough starts itself'),
  natsReplicas: integer(undefined, [1, 5], 'replicas of every stream in NATS', {
    fallbackHelp: 'three, or one on fewer servers',
  }),
  subjectPrefix: setting(Prefix, 'trough', 'first token of every NATS subject: two clusters on one NATS need two', {
    placeholder: 'WORD',
  }),
  journal: setting(
    oneOf('nats', 'none'),
    'nats',
    'nats: writes are on disk in NATS before they are answered, and outlive their node; none: on the node alone',
    { placeholder: 'nats|none' },
  ),
  journalStreams: integer(4, [1, 64], 'streams that new segments spread their journals over'),
  journalSizeBytes: byteSize(undefined, 'room for the journals of all segments together', {
    fallbackHelp: '4 GiB for each stream, less where the servers have less',
  }),
  metadata: setting(Metadata, 'nats', 'where leases and placement are kept; only nats in this version', {
    placeholder: 'nats',
  }),
  cold: setting(
    ColdPlace,
    (context) => join(context.text('data'), 'cold'),
    'cold storage, the same for all nodes: a directory, or webhdfs://[user@]host:port[,host2:port2]/path',
    { placeholder: 'PLACE', fallbackHelp: 'DATA/cold' },
  ),
  coldApiPath: setting(ApiPath, '/webhdfs/v1', 'path of the WebHDFS API, where a gateway stands before HDFS', {
    placeholder: 'PATH',
  }),
  coldAuthorizationFile: setting(
    text.optional(),
    undefined,
    'file whose line is sent to HDFS as the header Authorization; read again when it is refused',
    { placeholder: 'FILE', fallbackHelp: 'none is sent', show: (value) => value ?? null },
  ),
  coldCaFile: setting(text.optional(), undefined, 'PEM file with who may sign the certificates of swebhdfs', {
    placeholder: 'FILE',
    fallbackHelp: 'the usual ones',
    show: (value) => value ?? null,
  }),
  coldReplicas: integer(1, [1, 16], 'replicas in HDFS that a promoted file must have before it counts'),
  copies: integer(2, [1, MOST_COPIES], 'copies of each segment on different nodes; with fewer nodes, one on each'),
  rules: setting(
    Rules,
    [],
    'list of {match: regex, from?, to?, copies?, tier?}; the first that matches a segment id decides',
    { placeholder: 'JSON', fallbackHelp: 'none' },
  ),
  quotaBytes: byteSize(undefined, 'how much this node counts for when copies are placed', {
    fallbackHelp: '80 % of the disk',
  }),
  queryDeadlineMs: duration(60_000, 'a query that asks for no deadline is ended after this'),
  queryDeadlineLimitMs: duration(3_600_000, 'longest deadline that a query may ask for'),
  slowQueryMs: duration(1_000, 'a query that takes longer is logged and listed; 0ms: only those that were killed', 0),
  writeDeadlineMs: duration(60_000, 'a write that has not begun by then is refused, one that runs longer is ended'),
  rebuildAfterMs: duration(300_000, 'a node silent for this long has its copies rebuilt on others', 10_000),
  movesPerNode: integer(
    4_096,
    [1, 1_000_000],
    'places (one rank of a slot) that move to one node at a time for balance or a drain; lost ones all move at once',
  ),
  movesInAll: integer(16_384, [1, 1_000_000], 'the same, over all nodes'),
  hotReads: integer(
    500,
    [0, 1_000_000],
    'a segment read more often than this in a second for each copy gets more copies for a while; 0: never',
  ),
  hotCopies: integer(8, [1, MOST_COPIES], 'so many copies a segment gets by that at most'),
  hotForMs: duration(600_000, 'copies that came by that go when they were not needed for this'),
  evictAfterMs: duration(60_000, 'a copy that is no longer asked for is removed after this'),
  scrubPeriodMs: duration(
    604_800_000,
    'every copy is read again and compared with its checksum within this, as slowly as that allows; 0ms: never',
    0,
  ),
  surveyIntervalMs: duration(
    3_600_000,
    'pause between two looks for copies whose files are gone, and for files that nobody asked for',
  ),
  lostFilesForMs: duration(
    604_800_000,
    'files that nobody asked for are kept in lost+found for this; 0ms: until somebody deletes them',
    0,
  ),
  promoteAfterMs: duration(3_600_000, 'unpublished writes older than this are promoted'),
  promoteSizeBytes: byteSize(64 * 2 ** 20, 'a segment with more unpublished writes in the journal is promoted'),
  releaseAfterMs: duration(900_000, 'a segment without writes for this long is promoted and released'),
  coldScanIntervalMs: duration(60_000, 'pause between two looks for new files in cold storage'),
  coldFullScanIntervalMs: duration(
    24 * 3_600_000,
    'pause between two looks at everything in cold storage: the net for what the directories do not show',
  ),
  coldWalkRate: integer(
    5_000,
    [1, 1_000_000],
    'files that such a look, or a check, passes in a second at most; the first look after a start does not wait',
  ),
  coldCheckRateBytes: byteSize(32 * 2 ** 20, "what 'trough cold check' reads of cold storage in a second at most"),
  bodyLimitBytes: byteSize(64_000_000, 'largest body of a request'),
  maxConcurrentQueries: integer(1_024, [1, 100_000], 'queries that wait for a process; more are answered busy'),
  maxSegmentQueries: integer(512, [1, 100_000], 'of those, queries of one segment; more are answered crowded'),
  maxSegmentRunning: integer(64, [1, 100_000], 'queries of one segment that processes work at together; more wait'),
  maxSlowQueries: integer(
    64,
    [1, 100_000],
    'queries that are known to run long and wait, half of them of one segment; more are answered busy',
  ),
  maxStreams: integer(
    256,
    [1, 100_000],
    'answers too long to be sent whole that are read at a time, half of them of one segment; more are answered busy',
  ),
  maxFeeds: integer(
    256,
    [1, 100_000],
    'requests for changes (trough tail) that wait or are answered at a time; more are answered busy',
  ),
  feedPageBytes: byteSize(256 * 2 ** 10, 'records that one answer to such a request holds, about; one is always whole'),
  engineChildren: integer((context) => Math.max(2, context.cores), [1, 1_024], 'processes that run SQL', {
    fallbackHelp: 'one for each core, at least two',
  }),
  engineSlowChildren: integer(
    (context) => Math.max(2, Math.ceil(context.cores / 2)),
    [1, 1_024],
    'more of them, only while queries run long, and only for those',
    { fallbackHelp: 'half as many as cores, at least two' },
  ),
  openFiles: integer(
    3_000,
    [1, 100_000],
    'most segments that each of those keeps open; fewer while more would not help',
  ),
  engineMemoryBytes: byteSize(
    2 ** 30,
    'memory that each process that runs SQL may take; a query that needs more fails',
  ),
  engineTempBytes: byteSize(10 * 2 ** 30, 'largest temporary file that a query may need, for sorting and the like'),
  valueLimitBytes: byteSize(64_000_000, 'largest single value in an answer'),
  answerRowLimit: integer(undefined, [1, Number.MAX_SAFE_INTEGER], 'most rows of an answer', {
    fallbackHelp: 'no limit',
  }),
  answerSizeLimitBytes: byteSize(undefined, 'largest answer', { fallbackHelp: 'no limit' }),
  readCacheBytes: byteSize(2 ** 30, 'disk space for segments that are read here but have no copy here'),
  copyParallel: integer(2, [1, 64], 'files copied from cold storage at a time'),
  copyRateBytes: byteSize(undefined, 'what those may bring in a second, on average and together', {
    fallbackHelp: 'as fast as they come',
  }),
  stopGraceMs: duration(10_000, 'time for what is under way when the process is told to stop'),
  logLevel: setting(LogLevel, 'info', 'debug, info, warn, error or silent; log lines are JSON on stderr', {
    placeholder: 'LEVEL',
  }),
} as const;

export type SettingKey = keyof typeof SETTINGS;

/** Durations in ms and sizes in bytes, as the names say; deeply frozen. */
export type Settings = {
  readonly [K in SettingKey]: Frozen<(typeof SETTINGS)[K] extends Setting<infer T> ? T : never>;
};

type Frozen<T> = T extends readonly (infer Item)[] ? readonly Item[] : T;

/** The table with its types forgotten, in its order. */
export const SETTING_LIST = Object.entries(SETTINGS) as unknown as readonly (readonly [SettingKey, Setting<unknown>])[];

/** `queryDeadlineMs` is `queryDeadline` in a file. */
export function fileKey(key: SettingKey): string {
  return key.replace(/(Ms|Bytes)$/, '');
}

/** `queryDeadlineMs` is TROUGH_QUERY_DEADLINE. */
export function envName(key: SettingKey): string {
  return `TROUGH_${fileKey(key).replace(/[A-Z]/g, '_$&').toUpperCase()}`;
}

/** `queryDeadlineMs` is `query-deadline`, without the dashes in front. */
export function flagName(key: SettingKey): string {
  const setting: Setting<unknown> = SETTINGS[key] as unknown as Setting<unknown>;
  return setting.flag ?? fileKey(key).replace(/[A-Z]/g, '-$&').toLowerCase();
}

function asNodeName(hostname: string): string {
  return (
    hostname
      .replace(/[^A-Za-z0-9_.-]/g, '-')
      .replace(/^[^A-Za-z0-9_]+/, '')
      .slice(0, 100) || 'node'
  );
}

function parseJson(raw: string): unknown {
  try {
    return JSON.parse(raw);
  } catch {
    return raw;
  }
}
