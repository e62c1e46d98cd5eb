import { isLost } from '../messages/cluster-view.ts';
import { type NodeContext } from './node-context.ts';

/** Why nothing can be done here now, in words for `/readyz`; empty when NATS and the metadata are there. */
export function notReachable({ isConnected, view }: NodeContext): string[] {
  if (!isConnected()) return ['NATS is not reachable'];
  if (!view.current) return ['the metadata has not been read yet'];
  return isLost(view) ? ['the metadata was lost: run trough rebuild'] : [];
}
