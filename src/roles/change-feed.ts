import { ChangeFeed } from '../actors/changes/change-feed.ts';
import { type BusAnswer, type BusRequest } from '../bus/bus.ts';
import { checkShape, decodeText } from '../messages/decode.ts';
import { ChangesBody, type ChangesRequest, MatchingChangesBody, type ReadChanges } from '../messages/changes.ts';
import { formatExactJson, parseExactJson } from '../model/exact-json.ts';
import { segmentOf } from './endpoints.ts';
import { type NodeContext } from './node-context.ts';

/** Answers over NATS what was committed, and gives back what does so over HTTP. */
export function startChangeFeed(context: NodeContext): ReadChanges {
  const { settings, subjects, parts, metrics, view } = context;
  const feed = new ChangeFeed({ ...context, mostOpen: settings.maxFeeds, pageBytes: settings.feedPageBytes });
  for (const { document } of view.leases()) if (document.stream !== null) feed.saw(document.stream);
  context.onLease(({ document }) => {
    if (document.stream !== null) feed.saw(document.stream);
  });
  parts.stopFeeds = () => {
    feed.stop();
  };
  metrics.gauge('trough_feeds_open', 'Requests for changes that wait or are answered.', () => feed.openCount);
  answerRequests(context, feed.read, subjects.anyChanges, (request) => {
    const { since, waitMs } = checkShape(ChangesBody, parsed(request), 'a request for changes');
    return { of: { segment: segmentOf(request) }, since, waitMs };
  });
  answerRequests(context, feed.read, subjects.matchingChanges, (request) => {
    const { matching, since, waitMs } = checkShape(MatchingChangesBody, parsed(request), 'a request for changes');
    return { of: { matching }, since, waitMs };
  });
  return feed.read;
}

function answerRequests(
  { bus, supervisor, self }: NodeContext,
  read: ReadChanges,
  subject: string,
  decode: (request: BusRequest) => ChangesRequest,
): void {
  const bound = bus.answer(
    { subject, group: 'readers', advertiseAs: 'changes' },
    async (request): Promise<BusAnswer> => {
      let body = '';
      const take = (page: object): Promise<void> => {
        body = formatExactJson(page);
        return Promise.resolve();
      };
      await read(decode(request), take, request.signal);
      return { headers: { 'Trough-Node': self.node }, body: Buffer.from(body, 'utf8') };
    },
  );
  supervisor.adopt(`${subject} endpoint`, () => {
    bound.unsubscribe();
  });
}

function parsed({ body }: BusRequest): unknown {
  const text = decodeText(body);
  return text.trim() === '' ? {} : parseExactJson(text);
}
