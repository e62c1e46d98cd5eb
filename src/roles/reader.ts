import { SegmentReports } from '../actors/queries/segment-reports.ts';
import { QueryRouter } from '../actors/query-router.ts';
import { ReadThrough } from '../actors/read-through.ts';
import { type BusAnswer } from '../bus/bus.ts';
import { readRoutes } from '../http/read-routes.ts';
import { legacyDocument, queryDocument } from '../messages/answer-documents.ts';
import { answerHeaders, answerTrailers, decodeHandedOn, decodeQuery, HOPS_HEADER } from '../messages/query-wire.ts';
import { type Read, type ReadRequest } from '../messages/reading.ts';
import { type SegmentId } from '../model/segment-id.ts';
import { slotOf } from '../model/slot.ts';
import { segmentOf } from './endpoints.ts';
import { notReachable } from './readiness.ts';
import { type NodeContext } from './node-context.ts';

/** A cached file is taken for the newest for so long before cold storage is asked again. */
const FRESH_MS = 10_000;

/** Answers SELECTs over HTTP and NATS, wherever the segment is. */
export function startReader(context: NodeContext): { url: string } {
  const { settings, parts, self, calls, log, ports, cold, engine, disk, paths, clock } = context;
  const fetched = new ReadThrough({
    cold,
    engine,
    disk,
    paths,
    clock,
    limitBytes: settings.readCacheBytes,
    freshMs: FRESH_MS,
  });
  const { read } = new QueryRouter({
    ...context,
    hot: parts,
    copies: parts,
    fetched,
    peers: calls,
    holders: (segment) => holders(context, segment),
    emit: ({ segment }) => {
      parts.reportDamaged(segment);
    },
    node: self.node,
    deadlineMs: settings.queryDeadlineMs,
    deadlineLimitMs: settings.queryDeadlineLimitMs,
  });
  bindReads(context, read);
  const reports = new SegmentReports({
    ...context,
    node: self.node,
    load: (segment) => engine.load(segment),
    hot: parts,
    copies: parts,
    fetched,
    read,
  });
  return ports.serve('reader', { handler: readRoutes({ read, reports, log }), ready: () => notReachable(context) });
}

/** The nodes that may have copies: those that serve the slot first, then those that are to have it. */
function holders({ rule, placement }: NodeContext, segment: SegmentId): readonly string[] {
  const { copies } = rule(segment);
  const { serving, target } = placement.of(slotOf(segment));
  return Array.from(new Set([...serving.slice(0, copies), ...target.slice(0, copies)]));
}

function bindReads({ bus, subjects, self, supervisor }: NodeContext, read: Read): void {
  const endpoints = [
    { subject: subjects.anyQuery, group: 'readers', advertiseAs: 'query' },
    { subject: subjects.anyNodeQuery(self.node) },
  ];
  for (const endpoint of endpoints) {
    const bound = bus.answer(endpoint, (message) => {
      const segment = segmentOf(message);
      if (message.headers[HOPS_HEADER] !== undefined) {
        return handedOn(read, decodeHandedOn(segment, message.body), message.signal);
      }
      return forClient(read, decodeQuery(segment, message.body), message.signal);
    });
    supervisor.adopt(`${endpoint.subject} endpoint`, () => {
      bound.unsubscribe();
    });
  }
}

/** For another node: the bare rows, everything else in headers. */
async function handedOn(read: Read, request: ReadRequest, signal: AbortSignal): Promise<BusAnswer> {
  const answer = await read(request, signal);
  const { body, failure } = answer;
  return { headers: answerHeaders(answer), body, failure, trailers: () => answerTrailers(answer) };
}

/** For a client: a whole document, as over HTTP. */
async function forClient(read: Read, request: ReadRequest, signal: AbortSignal): Promise<BusAnswer> {
  const answer = await read(request, signal);
  const body = request.format === 'legacy' ? legacyDocument(answer) : queryDocument(answer, request.segment);
  const { node, version, failure } = answer;
  const headers = { 'Trough-Node': node, 'Trough-Version': version };
  return { headers, body, failure, trailers: () => answerTrailers(answer) };
}
