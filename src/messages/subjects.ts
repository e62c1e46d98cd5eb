import { toToken } from '../model/token.ts';

/** The verbs of `trough.sync.<verb>`, asked of the leader. */
export const SYNC_VERBS = [
  'provision',
  'promote',
  'release',
  'movewriter',
  'shred',
  'schema',
  'segments',
  'segment',
  'manifest',
  'status',
  'plan',
  'drain',
  'rule',
  'coldcheck',
  'rebuild',
] as const;
export type SyncVerb = (typeof SYNC_VERBS)[number];

/** The verbs of `trough.node.<node>.<verb>`, asked of one node by the leader. */
export type NodeVerb =
  | 'open'
  | 'prepare'
  | 'close'
  | 'promote'
  | 'handover'
  | 'ping'
  | 'applied'
  | 'copy'
  | 'restore'
  | 'file'
  | 'lost'
  | 'survey';

export interface Subjects {
  readonly query: (segment: string) => string;
  readonly anyQuery: string;
  readonly nodeQuery: (node: string, segment: string) => string;
  readonly anyNodeQuery: (node: string) => string;
  readonly changes: (segment: string) => string;
  readonly anyChanges: string;
  /** Of the segments that match what the request says. */
  readonly matchingChanges: string;
  readonly write: (segment: string) => string;
  readonly anyWrite: string;
  readonly nodeWrite: (node: string, segment: string) => string;
  readonly anyNodeWrite: (node: string) => string;
  readonly sync: (verb: SyncVerb) => string;
  /** The same verbs at one sync-master: how a standby hands a request on to the leader. */
  readonly nodeSync: (node: string, verb: SyncVerb) => string;
  readonly node: (node: string, verb: NodeVerb) => string;
  readonly assign: (node: string) => string;
  readonly beat: (node: string) => string;
  readonly anyBeat: string;
  readonly roll: string;
  readonly wanted: string;
  readonly event: (kind: string) => string;
}

/** Every subject of the cluster, made here alone. `prefix` lets several clusters share one NATS. */
export function makeSubjects(prefix: string): Subjects {
  const at = (...tokens: string[]): string => [prefix, ...tokens].join('.');
  return {
    query: (segment) => at('query', toToken(segment)),
    anyQuery: at('query', '*'),
    nodeQuery: (node, segment) => at('node', toToken(node), 'query', toToken(segment)),
    anyNodeQuery: (node) => at('node', toToken(node), 'query', '*'),
    changes: (segment) => at('changes', toToken(segment)),
    anyChanges: at('changes', '*'),
    matchingChanges: at('changes'),
    write: (segment) => at('write', toToken(segment)),
    anyWrite: at('write', '*'),
    nodeWrite: (node, segment) => at('node', toToken(node), 'write', toToken(segment)),
    anyNodeWrite: (node) => at('node', toToken(node), 'write', '*'),
    sync: (verb) => at('sync', verb),
    nodeSync: (node, verb) => at('node', toToken(node), 'sync', verb),
    node: (node, verb) => at('node', toToken(node), verb),
    assign: (node) => at('assign', toToken(node)),
    beat: (node) => at('beat', toToken(node)),
    anyBeat: at('beat', '*'),
    roll: at('roll'),
    wanted: at('wanted'),
    event: (kind) => at('event', kind),
  };
}
