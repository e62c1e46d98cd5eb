import { type z } from 'zod';
import { ChangesAnswer, ChangesParameters, MatchingChangesParameters } from './changes.ts';
import { ColdCheckAnswer } from './cold-check.ts';
import {
  DrainAnswer,
  MoveWriterAnswer,
  PlanAnswer,
  ProvisionAnswer,
  PromoteAnswer,
  ReleaseAnswer,
  SegmentAnswer,
  SegmentsAnswer,
  StatusAnswer,
} from './control.ts';
import {
  ColdCheckBody,
  DrainBody,
  EmptyBody,
  MoveWriterBody,
  PlanParameters,
  ProvisionBody,
  QueryAnswer,
  QueryBody,
  QueryParameters,
  RebuildBody,
  RuleBody,
  SegmentsParameters,
  ShredParameters,
  StatusParameters,
  WriteBody,
  WriteReply,
} from './http-api.ts';
import { RebuildAnswer } from './rebuild.ts';
import { RuleAnswer } from './segment-rule.ts';
import { SegmentStatsAnswer, SlowQueriesAnswer, StatsParameters } from './query-reports.ts';

/** Which port serves it; `manager` is both managers, `every` is all ports. */
export type V1Port = 'read' | 'write' | 'manager' | 'every';

export interface V1Route {
  readonly port: V1Port;
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** `{segment}` stands for one percent-encoded path part. */
  readonly path: string;
  readonly summary: string;
  readonly parameters?: z.ZodObject;
  readonly body?: z.ZodType;
  /** A body may be left out. */
  readonly bodyOptional?: true;
  /** Absent: 204 without a body. */
  readonly answer?: z.ZodType;
  /** Other content types in which the same answer is given. */
  readonly alsoAs?: readonly string[];
}

const NodesAnswer = StatusAnswer.pick({ nodes: true });

/** Every `/v1` route: what the servers dispatch on and what the OpenAPI document is made from. */
export const V1_ROUTES = {
  query: {
    port: 'read',
    method: 'POST',
    path: '/v1/segments/{segment}/query',
    summary: 'Answers one SELECT on one segment.',
    parameters: QueryParameters,
    body: QueryBody,
    answer: QueryAnswer,
    alsoAs: ['application/x-ndjson', 'text/csv'],
  },
  changes: {
    port: 'read',
    method: 'GET',
    path: '/v1/segments/{segment}/changes',
    summary: 'What was committed to one segment behind a position, in order; waits for more when asked to.',
    parameters: ChangesParameters,
    answer: ChangesAnswer,
  },
  matchingChanges: {
    port: 'read',
    method: 'GET',
    path: '/v1/changes',
    summary: 'The same of all segments whose ids match, those made later included: each in its order.',
    parameters: MatchingChangesParameters,
    answer: ChangesAnswer,
  },
  segmentStats: {
    port: 'read',
    method: 'GET',
    path: '/v1/segments/{segment}/stats',
    summary: 'What the queries of one segment took and gave on the node that answers.',
    parameters: StatsParameters,
    answer: SegmentStatsAnswer,
  },
  slowQueries: {
    port: 'read',
    method: 'GET',
    path: '/v1/queries/slow',
    summary: 'The slow queries of the node that answers, and those that were killed.',
    answer: SlowQueriesAnswer,
  },
  write: {
    port: 'write',
    method: 'POST',
    path: '/v1/segments/{segment}/write',
    summary: 'Applies statements to one segment, all of them or none; answers when they are durable.',
    body: WriteBody,
    answer: WriteReply,
  },
  provision: {
    port: 'manager',
    method: 'POST',
    path: '/v1/segments/{segment}/provision',
    summary: 'Makes a segment writable, creating it when there is none.',
    body: ProvisionBody,
    bodyOptional: true,
    answer: ProvisionAnswer,
  },
  promote: {
    port: 'manager',
    method: 'POST',
    path: '/v1/segments/{segment}/promote',
    summary: 'Publishes the state of a writable segment to cold storage; it stays writable.',
    body: EmptyBody,
    bodyOptional: true,
    answer: PromoteAnswer,
  },
  release: {
    port: 'manager',
    method: 'POST',
    path: '/v1/segments/{segment}/release',
    summary: 'Publishes what is unpublished, then ends the write lease.',
    body: EmptyBody,
    bodyOptional: true,
    answer: ReleaseAnswer,
  },
  moveWriter: {
    port: 'manager',
    method: 'POST',
    path: '/v1/segments/{segment}/move-writer',
    summary: 'Gives a writable segment to another node, which goes on from its journal; writes wait for a moment.',
    body: MoveWriterBody,
    answer: MoveWriterAnswer,
  },
  shred: {
    port: 'manager',
    method: 'DELETE',
    path: '/v1/segments/{segment}',
    summary: 'Deletes a segment everywhere.',
    parameters: ShredParameters,
  },
  segment: {
    port: 'manager',
    method: 'GET',
    path: '/v1/segments/{segment}',
    summary: 'One segment with its copies and its lease.',
    answer: SegmentAnswer,
  },
  segments: {
    port: 'manager',
    method: 'GET',
    path: '/v1/segments',
    summary: 'The segments, in pages.',
    parameters: SegmentsParameters,
    answer: SegmentsAnswer,
  },
  status: {
    port: 'manager',
    method: 'GET',
    path: '/v1/status',
    summary: 'The cluster as it is now.',
    parameters: StatusParameters,
    answer: StatusAnswer,
  },
  nodes: {
    port: 'manager',
    method: 'GET',
    path: '/v1/nodes',
    summary: 'The nodes of the cluster.',
    answer: NodesAnswer,
  },
  plan: {
    port: 'manager',
    method: 'GET',
    path: '/v1/plan',
    summary: 'What would move if nodes went or came. Changes nothing.',
    parameters: PlanParameters,
    answer: PlanAnswer,
  },
  drain: {
    port: 'manager',
    method: 'POST',
    path: '/v1/drain',
    summary: "Empties a node: its copies are made elsewhere first. 'drain' of a node in the status says how far it is.",
    body: DrainBody,
    answer: DrainAnswer,
  },
  undrain: {
    port: 'manager',
    method: 'POST',
    path: '/v1/undrain',
    summary: 'Takes a drain back: the node gets its share again.',
    body: DrainBody,
    answer: DrainAnswer,
  },
  rules: {
    port: 'manager',
    method: 'GET',
    path: '/v1/rules',
    summary: 'The segments that have copies or a tier of their own, or more copies because they are read very much.',
    answer: RuleAnswer,
  },
  setRule: {
    port: 'manager',
    method: 'POST',
    path: '/v1/segments/{segment}/rule',
    summary: 'Gives one segment copies or a tier of its own, in place of what the settings say.',
    body: RuleBody,
    answer: RuleAnswer,
  },
  removeRule: {
    port: 'manager',
    method: 'DELETE',
    path: '/v1/segments/{segment}/rule',
    summary: 'Takes that back: the segment is as the settings say again.',
    answer: RuleAnswer,
  },
  coldCheck: {
    port: 'manager',
    method: 'POST',
    path: '/v1/cold/check',
    summary:
      'Compares a stretch of the catalogue with cold storage; `next` of the answer is `after` of the request that goes on.',
    body: ColdCheckBody,
    bodyOptional: true,
    answer: ColdCheckAnswer,
  },
  rebuild: {
    port: 'manager',
    method: 'POST',
    path: '/v1/rebuild',
    summary: 'Makes lost metadata again; without a `job` it begins, with one it says how far that is.',
    body: RebuildBody,
    bodyOptional: true,
    answer: RebuildAnswer,
  },
  openapi: {
    port: 'every',
    method: 'GET',
    path: '/v1/openapi.json',
    summary: 'This document.',
    answer: undefined as never,
  },
} as const satisfies Record<string, V1Route>;

export type V1Operation = keyof typeof V1_ROUTES;
