import { CatalogueReads } from '../actors/catalogue-reads.ts';
import { SegmentReports } from '../actors/queries/segment-reports.ts';
import { QueryRouter } from '../actors/query-router.ts';
import { ReadThrough } from '../actors/read-through.ts';
import { readRoutes } from '../http/read-routes.ts';
import { startChangeFeed } from './change-feed.ts';
import { sayJson } from './endpoints.ts';
import { notReachable } from './readiness.ts';
import { bindReads } from './read-endpoints.ts';
import { type NodeContext } from './node-context.ts';

/** A cached file is taken for the newest for so long before cold storage is asked again. */
const FRESH_MS = 10_000;

/** Answers SELECTs over HTTP and NATS, wherever the segment is. */
export function startReader(context: NodeContext): { url: string } {
  const { settings, parts, self, calls, log, ports, cold, engine, disk, paths, clock, bus, subjects } = context;
  const fetched = new ReadThrough({
    cold,
    engine,
    disk,
    paths,
    clock,
    limitBytes: settings.readCacheBytes,
    freshMs: FRESH_MS,
  });
  const shared = {
    ...context,
    ...{ peers: calls, node: self.node },
    ...{ deadlineMs: settings.queryDeadlineMs, deadlineLimitMs: settings.queryDeadlineLimitMs },
  };
  const router = new QueryRouter({
    ...shared,
    hot: parts,
    copies: parts,
    fetched,
    emit: ({ segment }) => {
      parts.reportDamaged(segment);
    },
    wanted: (segment) => {
      sayJson(bus, subjects.wanted, { segment });
    },
  });
  const { read } = new CatalogueReads({ ...shared, own: () => parts.catalogue, others: router.read });
  const { anyQuery, anyNodeQuery } = context.subjects;
  const endpoints = [
    { subject: anyQuery, group: 'readers', advertiseAs: 'query' },
    { subject: anyNodeQuery(self.node) },
  ];
  bindReads(context, endpoints, read);
  const reports = new SegmentReports({
    ...context,
    node: self.node,
    load: (segment) => engine.load(segment),
    hot: parts,
    copies: parts,
    fetched,
    read,
  });
  const changes = startChangeFeed(context);
  return ports.serve('reader', {
    handler: readRoutes({ read, reports, changes, log }),
    ready: () => notReachable(context),
  });
}
