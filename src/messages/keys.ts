import { fromToken, toToken } from '../model/token.ts';

/** The keys of the metadata store, made here alone. */
export const keys = {
  leader: 'leader',
  cluster: 'cluster',
  placement: 'placement',
  node: (node: string) => `node.${toToken(node)}`,
  lease: (segment: string) => `lease.${toToken(segment)}`,
  schema: (id: string) => `schema.${toToken(id)}`,
  drain: (node: string) => `drain.${toToken(node)}`,
  rule: (segment: string) => `rule.${toToken(segment)}`,
} as const;

export type KeyKind = 'leader' | 'cluster' | 'placement' | 'node' | 'lease' | 'schema' | 'drain' | 'rule';

/** What the keys of all rules begin with. */
export const RULES_PREFIX = 'rule.';

/** What a key names; undefined for a key that this version does not know. */
export function parseKey(key: string): { kind: KeyKind; name: string } | undefined {
  if (key === keys.leader || key === keys.cluster || key === keys.placement) return { kind: key, name: '' };
  const dot = key.indexOf('.');
  if (dot === -1) return undefined;
  const kind = key.slice(0, dot);
  if (!isNamed(kind)) return undefined;
  return { kind, name: fromToken(key.slice(dot + 1)) };
}

const NAMED = ['node', 'lease', 'schema', 'drain', 'rule'] as const;

function isNamed(kind: string): kind is (typeof NAMED)[number] {
  return NAMED.some((one) => one === kind);
}
