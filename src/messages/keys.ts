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
} as const;

export type KeyKind = 'leader' | 'cluster' | 'placement' | 'node' | 'lease' | 'schema' | 'drain';

/** What a key names; undefined for a key that this version does not know. */
export function parseKey(key: string): { kind: KeyKind; name: string } | undefined {
  if (key === keys.leader || key === keys.cluster || key === keys.placement) return { kind: key, name: '' };
  const dot = key.indexOf('.');
  if (dot === -1) return undefined;
  const kind = key.slice(0, dot);
  if (kind !== 'node' && kind !== 'lease' && kind !== 'schema' && kind !== 'drain') return undefined;
  return { kind, name: fromToken(key.slice(dot + 1)) };
}
