import { type CatalogueEntry } from '../actors/leader/catalogue-rows.ts';
import { type CatalogueMessage } from '../actors/leader/catalogue.ts';
import { type LeadershipState } from '../actors/leader/leadership.ts';
import { type RegistrarMessage } from '../actors/leader/lease-registrar.ts';
import { RebuildRows } from '../actors/leader/rebuild/rebuild-rows.ts';
import { Rebuilder, type RebuilderMessage } from '../actors/leader/rebuild/rebuilder.ts';
import { type LocalDatabase } from '../engine/engine.ts';
import { type ActorRef } from '../runtime/actor.ts';
import { ask, type Reply } from '../runtime/ask.ts';
import { type NodeContext } from './node-context.ts';

export interface RebuildParts {
  readonly leadership: LeadershipState;
  readonly catalogue: ActorRef<CatalogueMessage>;
  /** The catalogue's. */
  readonly database: LocalDatabase;
  readonly registrar: ActorRef<RegistrarMessage>;
}

/** Makes lost metadata again for whoever asks. */
export function startRebuilder(context: NodeContext, parts: RebuildParts): ActorRef<RebuilderMessage> {
  const { supervisor, calls, clock, mostCopies } = context;
  const { leadership, catalogue, database, registrar } = parts;
  const settled = (entries: readonly CatalogueEntry[]): Promise<void> =>
    ask(catalogue, (reply: Reply<void>) => ({ kind: 'settled', entries, reply }));
  const rebuilder = new Rebuilder({
    ...context,
    nodes: calls,
    survey: (node, request) => calls.survey(node, request),
    rows: new RebuildRows(database),
    catalogue: {
      settled,
      adopt: () => {
        catalogue.send({ kind: 'rules' });
        catalogue.send({ kind: 'adopt' });
      },
    },
    takeOver: (segment) => ask(registrar, (reply) => ({ kind: 'takeOver', segment, reply })),
    term: () => leadership.term,
    ranks: mostCopies,
    startedMs: clock.now(),
  });
  return supervisor.spawn(() => rebuilder);
}
