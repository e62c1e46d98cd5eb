import { TroughError } from '../errors.ts';

declare const brand: unique symbol;
/** The checked name of a node: one process of the cluster, over all its incarnations. */
export type NodeId = string & { readonly [brand]: 'NodeId' };

const SHAPE = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$/;

export function parseNodeId(text: string): NodeId {
  if (!SHAPE.test(text)) {
    throw new TroughError(
      'CONFIG_INVALID',
      `'${text.slice(0, 40)}' is not a node name: 1 to 100 characters of A-Za-z0-9_.- are, the first a letter, a digit or _`,
    );
  }
  return text as NodeId;
}
