import { TroughError } from '../errors.ts';
import { type DrainAnswer, type DrainRequest } from '../messages/control.ts';
import { decodeDocument, DrainDocument, encodeDocument } from '../messages/documents.ts';
import { keys } from '../messages/keys.ts';
import { withDeadline } from '../runtime/deadline.ts';
import { type NodeContext } from './node-context.ts';

type Context = Pick<NodeContext, 'view' | 'store' | 'clock' | 'log'>;

const STORE_DEADLINE_MS = 10_000;

/** Keeps in the store that a node is to be emptied, or forgets it: what is done about it follows from that, under any leader. NODE_UNKNOWN. */
export async function answerDrain(context: Context, { op, node }: DrainRequest): Promise<DrainAnswer> {
  const { store, clock } = context;
  const key = keys.drain(node);
  return withDeadline(clock, STORE_DEADLINE_MS, async (signal) => {
    const entry = await store.get(key, signal);
    const before = entry === undefined ? undefined : decodeDocument(DrainDocument, key, entry.value);
    if (op === 'drain') {
      if (before !== undefined) return { node, sinceMs: before.sinceMs, changed: false };
      // A node that is away may be drained: it is not to come back into the placement.
      if (context.view.node(node) === undefined) throw unknownNode(node);
      const document: DrainDocument = { node, sinceMs: clock.now() };
      await store.create(key, encodeDocument(document), signal);
      context.log.info({ about: node }, 'a node is drained: its copies are made elsewhere');
      return { node, sinceMs: document.sinceMs, changed: true };
    }
    if (entry === undefined) {
      if (context.view.node(node) === undefined) throw unknownNode(node);
      return { node, sinceMs: null, changed: false };
    }
    await store.delete(key, entry.revision, signal);
    context.log.info({ about: node }, 'a drain was taken back: the node gets its share again');
    return { node, sinceMs: null, changed: true };
  });
}

function unknownNode(node: string): TroughError {
  return new TroughError('NODE_UNKNOWN', `the cluster knows no node '${node}'`, { node });
}
