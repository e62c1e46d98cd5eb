import { TroughError } from '../../errors.ts';
import { type LeaseEntry, type NodeEntry } from '../../messages/cluster-view.ts';
import { type ProvisionAnswer } from '../../messages/control.ts';
import { type OpenAnswer } from '../../messages/node-messages.ts';
import { type SegmentId } from '../../model/segment-id.ts';

export function provisioned(id: SegmentId, node: NodeEntry, opened: OpenAnswer, schema: string): ProvisionAnswer {
  const { sizeBytes, created } = opened;
  return { segment: id, node: node.document.node, writeUrl: writeUrl(node, id), sizeBytes, schema, created };
}

function writeUrl(node: NodeEntry, id: SegmentId): string {
  return `${(node.document.urls.write ?? '').replace(/\/$/, '')}/?segment=${encodeURIComponent(id)}`;
}

export function awayForNow(id: SegmentId, { document }: LeaseEntry): TroughError {
  const message = `the node '${document.node}' that holds '${id}' is away; in a moment another may take it: try again shortly`;
  return new TroughError('NODE_UNAVAILABLE', message, { segment: id, node: document.node });
}
