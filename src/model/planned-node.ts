import { TroughError } from '../errors.ts';
import { parseByteSize } from './byte-size.ts';
import { type NodeId, parseNodeId } from './node-id.ts';

/** A node that there is not yet. */
export interface PlannedNode {
  readonly node: NodeId;
  readonly quotaBytes: number;
  readonly zone: string;
}

/** `NAME:QUOTA` or `NAME:QUOTA:ZONE`, such as `n9:500GB:rack2`; without a zone it is in `default`. REQUEST_INVALID for anything else. */
export function parsePlannedNode(text: string): PlannedNode {
  const [name = '', quota = '', zone = 'default', ...more] = text.split(':');
  if (quota === '' || zone === '' || more.length > 0) {
    throw new TroughError(
      'REQUEST_INVALID',
      `'${text.slice(0, 80)}' is not NAME:QUOTA or NAME:QUOTA:ZONE (n9:500GB:rack2)`,
    );
  }
  const quotaBytes = parseByteSize(quota);
  if (quotaBytes <= 0) throw new TroughError('REQUEST_INVALID', `'${text.slice(0, 80)}' has no room for anything`);
  return { node: parseNodeId(name), quotaBytes, zone };
}
