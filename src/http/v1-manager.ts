import { type Control } from '../messages/control.ts';
import {
  ColdCheckBody,
  DrainBody,
  EmptyBody,
  MoveWriterBody,
  PlanParameters,
  ProvisionBody,
  RebuildBody,
  RuleBody,
  SegmentsParameters,
  ShredParameters,
  StatusParameters,
} from '../messages/http-api.ts';
import { SegmentsRequest } from '../messages/control.ts';
import { parsePlannedNode } from '../model/planned-node.ts';
import { type Exchange } from './exchange.ts';
import { jsonBody, parameters } from './json-body.ts';
import { type V1Handlers } from './v1-router.ts';

type SegmentOperation = 'provision' | 'promote' | 'release' | 'moveWriter' | 'shred' | 'setRule' | 'removeRule';

/** The `/v1` routes of both managers. */
export function managerHandlers(control: Control): V1Handlers<'manager'> {
  return {
    provision: async (exchange, segment) => {
      const { schema } = await jsonBody(exchange, ProvisionBody, {});
      reply(exchange, await control.provision(schema === undefined ? { segment } : { segment, schema }));
    },
    promote: async (exchange, segment) => {
      await jsonBody(exchange, EmptyBody, {});
      reply(exchange, await control.promote({ segment }));
    },
    release: async (exchange, segment) => {
      await jsonBody(exchange, EmptyBody, {});
      reply(exchange, await control.release({ segment }));
    },
    moveWriter: async (exchange, segment) => {
      const { node } = await jsonBody(exchange, MoveWriterBody);
      reply(exchange, await control.moveWriter({ segment, node }));
    },
    shred: async (exchange, segment) => {
      const { force } = parameters(exchange, ShredParameters);
      await control.shred({ segment, force: force === 'true' });
      exchange.send({ status: 204, type: 'application/json', body: '' });
    },
    setRule: async (exchange, segment) => {
      reply(exchange, await control.rule({ op: 'set', segment, ...(await jsonBody(exchange, RuleBody)) }));
    },
    removeRule: async (exchange, segment) => {
      reply(exchange, await control.rule({ op: 'remove', segment }));
    },
    ...clusterHandlers(control),
  };
}

function clusterHandlers(control: Control): Omit<V1Handlers<'manager'>, SegmentOperation> {
  return {
    segment: async (exchange, segment) => {
      reply(exchange, await control.segment({ segment }));
    },
    segments: async (exchange) => {
      reply(exchange, await control.segments(SegmentsRequest.parse(parameters(exchange, SegmentsParameters))));
    },
    status: async (exchange) => {
      reply(exchange, await control.status(parameters(exchange, StatusParameters)));
    },
    plan: async (exchange) => {
      const { without, with: more } = parameters(exchange, PlanParameters);
      const request = { without: splitList(without), with: splitList(more).map(parsePlannedNode) };
      reply(exchange, await control.plan(request));
    },
    drain: async (exchange) => {
      const { node } = await jsonBody(exchange, DrainBody);
      reply(exchange, await control.drain({ op: 'drain', node }));
    },
    undrain: async (exchange) => {
      const { node } = await jsonBody(exchange, DrainBody);
      reply(exchange, await control.drain({ op: 'undrain', node }));
    },
    rules: async (exchange) => {
      reply(exchange, await control.rule({ op: 'list' }));
    },
    coldCheck: async (exchange) => {
      reply(exchange, await control.coldCheck(await jsonBody(exchange, ColdCheckBody, {})));
    },
    rebuild: async (exchange) => {
      reply(exchange, await control.rebuild(await jsonBody(exchange, RebuildBody, {})));
    },
    nodes: async (exchange) => {
      const { nodes } = await control.status({});
      reply(exchange, { nodes });
    },
  };
}

function splitList(list: string | undefined): string[] {
  return (list ?? '').split(',').filter((part) => part !== '');
}

function reply(exchange: Exchange, answer: object): void {
  exchange.send({ status: 200, type: 'application/json', body: `${JSON.stringify(answer)}\n` });
}
