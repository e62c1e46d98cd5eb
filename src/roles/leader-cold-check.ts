import { type CatalogueMessage } from '../actors/leader/catalogue.ts';
import { ColdCheck, type ColdCheckMessage } from '../actors/leader/cold-check.ts';
import { type Copies, ColdRepair } from '../actors/leader/cold-repair.ts';
import { ColdRows } from '../actors/leader/cold-rows.ts';
import { type LocalDatabase } from '../engine/engine.ts';
import { TroughError } from '../errors.ts';
import { LEAST_BYTES_PER_SECOND } from '../messages/cold-check.ts';
import { type SegmentId } from '../model/segment-id.ts';
import { type ActorRef } from '../runtime/actor.ts';
import { ask, type Reply } from '../runtime/ask.ts';
import { type NodeContext } from './node-context.ts';

const MAILBOX = 100;

/** Looks through cold storage for whoever asks, and mends what it can. `database` is the catalogue's. */
export function startColdCheck(
  context: NodeContext,
  catalogue: ActorRef<CatalogueMessage>,
  database: LocalDatabase,
): ActorRef<ColdCheckMessage> {
  const { supervisor, settings, calls, care } = context;
  const repair = new ColdRepair({
    copiesOf: (segment) => copiesOf(context, segment),
    restore: (node, request) => calls.restore(node, request),
    published: (segment, published) => ask(catalogue, (reply) => ({ kind: 'published', segment, published, reply })),
    take: async (file) => {
      await care?.learn(file);
      await ask(catalogue, (reply: Reply<void>) => ({ kind: 'take', files: [file], reply }));
    },
    removeLeftover: (leftover) => {
      if (care === undefined) throw new TroughError('REQUEST_INVALID', 'this cold storage cannot be looked after');
      return care.removeLeftover(leftover);
    },
  });
  const check = new ColdCheck({
    ...context,
    care,
    rows: new ColdRows(database),
    repair,
    bytesPerSecond: Math.max(settings.coldCheckRateBytes, LEAST_BYTES_PER_SECOND),
    looksPerSecond: settings.coldWalkRate,
  });
  return supervisor.spawn(() => check, { mailboxLimit: MAILBOX });
}

/** Of the nodes that are to have one; only when none of them has, of all others. */
async function copiesOf(context: NodeContext, segment: SegmentId): Promise<Copies> {
  const { view, places } = context;
  const { target, serving } = places(segment);
  const placed = new Set([...target, ...serving]);
  const living = view
    .nodes()
    .filter(
      ({ state, document }) => (state === 'alive' || state === 'suspect') && document.roles.includes('sync-local'),
    )
    .map(({ document }) => document.node);
  const found = await askFor(
    context,
    segment,
    [...placed].filter((node) => living.includes(node as never)),
  );
  if (found.length > 0) return found;
  return askFor(
    context,
    segment,
    living.filter((node) => !placed.has(node)),
  );
}

async function askFor({ calls }: NodeContext, segment: SegmentId, nodes: readonly string[]): Promise<Copies> {
  const asked = nodes.map(async (node) => {
    const version = (await calls.copy(node, segment))?.copy?.version;
    return version === undefined ? [] : [{ node, version }];
  });
  return (await Promise.all(asked)).flat();
}
