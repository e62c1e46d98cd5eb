import { type BusAnswer, type Endpoint } from '../bus/bus.ts';
import { legacyDocument, queryDocument } from '../messages/answer-documents.ts';
import { answerHeaders, answerTrailers, decodeHandedOn, decodeQuery, HOPS_HEADER } from '../messages/query-wire.ts';
import { type Read, type ReadRequest } from '../messages/reading.ts';
import { segmentOf } from './endpoints.ts';
import { type NodeContext } from './node-context.ts';

/** Answers reads that come over NATS: those of clients, and those that another node has handed on. */
export function bindReads({ bus, supervisor }: NodeContext, endpoints: readonly Endpoint[], read: Read): void {
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
