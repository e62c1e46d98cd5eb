import { finished } from 'node:stream/promises';
import {
  ChangesParameters,
  type ChangesRequest,
  MatchingChangesParameters,
  type ReadChanges,
} from '../messages/changes.ts';
import { formatExactJson } from '../model/exact-json.ts';
import { type Exchange } from './exchange.ts';
import { parameters } from './json-body.ts';
import { type V1Handler } from './v1-router.ts';

/** GET `/v1/segments/ID/changes` and `/v1/changes`. */
export function changeHandlers(read: ReadChanges): Record<'changes' | 'matchingChanges', V1Handler> {
  return {
    changes: (exchange, segment) => {
      const { since, waitMs } = parameters(exchange, ChangesParameters);
      return answer(exchange, read, { of: { segment }, since, waitMs });
    },
    matchingChanges: (exchange) => {
      const { matching, since, waitMs } = parameters(exchange, MatchingChangesParameters);
      return answer(exchange, read, { of: { matching }, since, waitMs });
    },
  };
}

function answer(exchange: Exchange, read: ReadChanges, request: ChangesRequest): Promise<void> {
  return read(
    request,
    async (page) => {
      const headers = ['Cache-Control', 'no-store'];
      exchange.send({ status: 200, type: 'application/json', body: `${formatExactJson(page)}\n`, headers });
      // It counts as open until the client has taken it, or is gone.
      await finished(exchange.response).catch(() => undefined);
    },
    exchange.signal,
  );
}
