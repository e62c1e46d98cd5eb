import { type z } from 'zod';
import { type Bus, type BusReply } from '../bus/bus.ts';
import { TroughError } from '../errors.ts';
import {
  type Control,
  type ManifestAnswer as ManifestAnswerType,
  ManifestAnswer,
  PromoteAnswer,
  ProvisionAnswer,
  ReleaseAnswer,
  SchemaAnswer,
  SegmentAnswer,
  SegmentsAnswer,
  ShredAnswer,
  StatusAnswer,
} from '../messages/control.ts';
import { checkShape, decodeText } from '../messages/decode.ts';
import { type NodeCalls, type PeerCalls } from '../messages/node-calls.ts';
import { HolderAnswer, OpenAnswer, PingAnswer } from '../messages/node-messages.ts';
import { decodeAnswer, encodeHandedOn, HOPS_HEADER } from '../messages/query-wire.ts';
import { type ReadAnswer, type ReadRequest } from '../messages/reading.ts';
import { type Subjects, type SyncVerb } from '../messages/subjects.ts';
import { decodeWriteAnswer, encodeWrite } from '../messages/write-wire.ts';
import { type WriteAnswer, type WriteCall } from '../messages/writing.ts';
import { Backoff } from '../runtime/backoff.ts';
import { type Clock } from '../runtime/clock.ts';

export interface BusCallsDeps {
  readonly bus: Bus;
  readonly subjects: Subjects;
  readonly clock: Clock;
  readonly random: () => number;
  readonly queryDeadlineMs: number;
  readonly writeDeadlineMs: number;
}

/** An election takes up to 10 s: requests to the leader wait for it. */
const LEADER_WAIT_MS = 15_000;
const SHORT_MS = 60_000;
/** For what uploads or downloads a whole segment. */
const LONG_MS = 3_600_000;
const PING_MS = 1_000;

/** Everything that this process asks of others over the bus, typed. */
export class BusCalls implements NodeCalls, PeerCalls {
  readonly #deps: BusCallsDeps;

  constructor(deps: BusCallsDeps) {
    this.#deps = deps;
  }

  /** The leader's services. A request waits for a leader for 15 s; then LEADER_UNKNOWN. */
  get control(): Control {
    const at =
      <Answer>(verb: SyncVerb, schema: z.ZodType<Answer>, deadlineMs: number) =>
      (request: unknown): Promise<Answer> =>
        this.#askLeader(verb, request, schema, deadlineMs);
    return {
      provision: at('provision', ProvisionAnswer, LONG_MS),
      promote: at('promote', PromoteAnswer, LONG_MS),
      release: at('release', ReleaseAnswer, LONG_MS),
      shred: at('shred', ShredAnswer, LONG_MS),
      schema: at('schema', SchemaAnswer, SHORT_MS),
      segments: at('segments', SegmentsAnswer, SHORT_MS),
      segment: at('segment', SegmentAnswer, SHORT_MS),
      status: at('status', StatusAnswer, SHORT_MS),
    };
  }

  manifest(node: string, after: string | undefined, signal: AbortSignal): Promise<ManifestAnswerType> {
    return this.#json(this.#deps.subjects.sync('manifest'), { node, after }, ManifestAnswer, SHORT_MS, signal);
  }

  open(node: string, request: unknown): Promise<OpenAnswer> {
    return this.#askNode(node, 'open', request, OpenAnswer);
  }

  promote(node: string, request: unknown): Promise<HolderAnswer> {
    return this.#askNode(node, 'promote', request, HolderAnswer);
  }

  close(node: string, request: unknown): Promise<HolderAnswer> {
    return this.#askNode(node, 'close', request, HolderAnswer);
  }

  /** Who answers under the node name; undefined when nobody does. */
  async ping(node: string): Promise<PingAnswer | undefined> {
    try {
      return await this.#json(this.#deps.subjects.node(node, 'ping'), {}, PingAnswer, PING_MS);
    } catch (error) {
      const { code } = TroughError.from(error);
      if (code === 'BUS_NO_RESPONDERS' || code === 'BUS_TIMEOUT') return undefined;
      throw error;
    }
  }

  async read(node: string, request: ReadRequest, signal: AbortSignal): Promise<ReadAnswer> {
    const subject = this.#deps.subjects.nodeQuery(node, request.segment);
    const options = {
      headers: { [HOPS_HEADER]: String(request.hops) },
      deadlineMs: (request.deadlineMs ?? this.#deps.queryDeadlineMs) + 1_000,
      signal,
    };
    const reply = await this.#asNode(node, () => this.#deps.bus.request(subject, encodeHandedOn(request), options));
    return decodeAnswer(reply.headers, reply.body, reply.trailers);
  }

  async write(node: string, call: WriteCall): Promise<WriteAnswer> {
    const subject = this.#deps.subjects.nodeWrite(node, call.segment);
    const options = { headers: { [HOPS_HEADER]: '1' }, deadlineMs: this.#deps.writeDeadlineMs * 2 + 5_000 };
    const reply = await this.#asNode(node, () => this.#deps.bus.request(subject, encodeWrite(call), options));
    return decodeWriteAnswer(await wholeBody(reply));
  }

  #askNode<T>(node: string, verb: 'open' | 'promote' | 'close', request: unknown, schema: z.ZodType<T>): Promise<T> {
    return this.#asNode(node, () => this.#json(this.#deps.subjects.node(node, verb), request, schema, LONG_MS));
  }

  /** Nobody answers for the node: then it is not there, whatever the wire says. */
  async #asNode<T>(node: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      const known = TroughError.from(error);
      if (known.code !== 'BUS_NO_RESPONDERS') throw known;
      throw new TroughError('NODE_UNAVAILABLE', `the node '${node}' does not answer`, { node }, known);
    }
  }

  async #askLeader<T>(verb: SyncVerb, request: unknown, schema: z.ZodType<T>, deadlineMs: number): Promise<T> {
    const { clock, random, subjects } = this.#deps;
    const backoff = new Backoff({ firstMs: 50, mostMs: 500 }, random);
    const startedAt = clock.monotonic();
    for (;;) {
      try {
        return await this.#json(subjects.sync(verb), request, schema, deadlineMs);
      } catch (error) {
        const { code, message } = TroughError.from(error);
        if (code !== 'LEADER_UNKNOWN' && code !== 'BUS_NO_RESPONDERS') throw error;
        if (clock.monotonic() - startedAt > LEADER_WAIT_MS) {
          throw new TroughError('LEADER_UNKNOWN', `no sync-master leads the cluster now: ${message}`, {}, error);
        }
      }
      await new Promise<void>((resolve) => clock.after(backoff.next(), resolve));
    }
  }

  async #json<T>(
    subject: string,
    request: unknown,
    schema: z.ZodType<T>,
    deadlineMs: number,
    signal?: AbortSignal,
  ): Promise<T> {
    const body = Buffer.from(JSON.stringify(request), 'utf8');
    const reply = await this.#deps.bus.request(subject, body, { deadlineMs, signal });
    const text = decodeText(await wholeBody(reply));
    return checkShape(schema, JSON.parse(text), `an answer to ${subject}`);
  }
}

async function wholeBody(reply: BusReply): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of reply.body) parts.push(part);
  return Buffer.concat(parts);
}
