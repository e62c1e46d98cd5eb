import { LeaseNews } from '../actors/writer/lease-news.ts';
import { WriteHost, type WriteHostMessage } from '../actors/writer/write-host.ts';
import { writeRoutes } from '../http/write-routes.ts';
import { HandOverRequest, HolderRequest, OpenRequest, PrepareRequest } from '../messages/node-messages.ts';
import { HOPS_HEADER } from '../messages/query-wire.ts';
import { decodeWrite, encodeWriteAnswer } from '../messages/write-wire.ts';
import { type WriteAnswer, type WriteCall } from '../messages/writing.ts';
import { type ActorRef } from '../runtime/actor.ts';
import { ask } from '../runtime/ask.ts';
import { answerJson, sayJson, segmentOf } from './endpoints.ts';
import { notReachable } from './readiness.ts';
import { type NodeContext } from './node-context.ts';

const WRITE_QUEUE = 10_000;
const TIDY_EVERY_MS = 5_000;

/** Of the time for a stop: two thirds of what the leaving has of it. */
const STOP_PATIENCE_SHARE = 0.2;

/** Holds write leases and applies writes. The function that comes back takes news of leases from the directory. */
export function startWriter(context: NodeContext): { url: string } {
  const { supervisor, self, settings, parts, calls, ports, log, bus, subjects } = context;
  const host = new WriteHost({
    ...context,
    peers: calls,
    nodes: calls,
    news: new LeaseNews({ ...context, nodes: calls }),
    writeDeadlineMs: settings.writeDeadlineMs,
    stopPatienceMs: settings.stopGraceMs * STOP_PATIENCE_SHARE,
    wanted: (segment) => {
      sayJson(bus, subjects.wanted, { segment });
    },
    queueLimit: WRITE_QUEUE,
    mustKeep: () => parts.identity?.isStranger === true,
    promoteAfterMs: settings.promoteAfterMs,
    promoteBytes: settings.promoteSizeBytes,
    releaseAfterMs: settings.releaseAfterMs,
    leader: {
      promote: (segment) => calls.control.promote({ segment }),
      release: (segment) => calls.control.release({ segment }),
    },
  });
  parts.writer = host;
  const actor = supervisor.spawn(() => host, { mailboxLimit: 100_000 });
  parts.leave = () => ask(actor, (reply) => ({ kind: 'leave', reply }));
  context.onLease((lease) => actor.send({ kind: 'lease', lease }));
  actor.send({ kind: 'reclaim' });
  supervisor.every(TIDY_EVERY_MS, actor, () => ({ kind: 'tick' }));
  const write = (call: WriteCall): Promise<WriteAnswer> => ask(actor, (reply) => ({ kind: 'write', call, reply }));
  bindWrites(context, write);
  bindOrders(context, actor);
  return ports.serve('writer', {
    handler: writeRoutes({ write, node: self.node, log }),
    ready: () => notReachable(context),
  });
}

/** What the leader, and other writers, have this node do. */
function bindOrders({ bus, subjects, self, supervisor }: NodeContext, actor: ActorRef<WriteHostMessage>): void {
  const bound = [
    answerJson(bus, { subject: subjects.node(self.node, 'open') }, OpenRequest, (request) =>
      ask(actor, (reply) => ({ kind: 'open', request, reply })),
    ),
    answerJson(bus, { subject: subjects.node(self.node, 'prepare') }, PrepareRequest, (request) =>
      ask(actor, (reply) => ({ kind: 'prepare', request, reply })),
    ),
    answerJson(bus, { subject: subjects.node(self.node, 'promote') }, HolderRequest, (request) =>
      ask(actor, (reply) => ({ kind: 'promote', request, reply })),
    ),
    answerJson(bus, { subject: subjects.node(self.node, 'handover') }, HandOverRequest, (request) =>
      ask(actor, (reply) => ({ kind: 'handOver', request, reply })),
    ),
    answerJson(bus, { subject: subjects.node(self.node, 'close') }, HolderRequest, (request) =>
      ask(actor, (reply) => ({ kind: 'close', request, reply })),
    ),
  ];
  supervisor.adopt('write endpoints', () => {
    for (const endpoint of bound) endpoint.unsubscribe();
  });
}

function bindWrites(
  { bus, subjects, self, supervisor }: NodeContext,
  write: (call: WriteCall) => Promise<WriteAnswer>,
): void {
  const endpoints = [
    { subject: subjects.anyWrite, group: 'writers', advertiseAs: 'write' },
    { subject: subjects.anyNodeWrite(self.node) },
  ];
  for (const endpoint of endpoints) {
    const bound = bus.answer(endpoint, async (request) => {
      const call = decodeWrite(segmentOf(request), request.body, request.headers[HOPS_HEADER] !== undefined);
      return { headers: { 'Trough-Node': self.node }, body: encodeWriteAnswer(await write(call)) };
    });
    supervisor.adopt(`${endpoint.subject} endpoint`, () => {
      bound.unsubscribe();
    });
  }
}
