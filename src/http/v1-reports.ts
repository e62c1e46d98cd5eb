import { type QueryReports, StatsParameters } from '../messages/query-reports.ts';
import { type Exchange } from './exchange.ts';
import { parameters } from './json-body.ts';
import { type V1Handler } from './v1-router.ts';

/** GET `/v1/segments/ID/stats` and `/v1/queries/slow`. */
export function reportHandlers(reports: QueryReports): Record<'segmentStats' | 'slowQueries', V1Handler> {
  return {
    segmentStats: async (exchange, segment) => {
      const { plan } = parameters(exchange, StatsParameters);
      reply(exchange, await reports.segment(segment, { plan: plan === '1' || plan === 'true' }, exchange.signal));
    },
    slowQueries: (exchange) => {
      reply(exchange, reports.slow());
      return Promise.resolve();
    },
  };
}

function reply(exchange: Exchange, answer: object): void {
  exchange.send({ status: 200, type: 'application/json', body: `${JSON.stringify(answer)}\n` });
}
