import { z } from 'zod';
import { type Bus, type BusReply, type RequestOptions } from '../bus/bus.ts';
import { type ErrorCode, TroughError } from '../errors.ts';
import {
  type Control,
  type ManifestAnswer as ManifestAnswerType,
  DrainAnswer,
  ManifestAnswer,
  MoveWriterAnswer,
  PlanAnswer,
  PromoteAnswer,
  ProvisionAnswer,
  ReleaseAnswer,
  SchemaAnswer,
  type SchemaRequest,
  SegmentAnswer,
  SegmentsAnswer,
  ShredAnswer,
  StatusAnswer,
} from '../messages/control.ts';
import { ColdCheckAnswer, RestoreAnswer, type RestoreRequest } from '../messages/cold-check.ts';
import { CopyReport, type FileRequest, LostAnswer, type PassedFile } from '../messages/copy-report.ts';
import { checkShape, decodeText } from '../messages/decode.ts';
import { type NodeCalls, type PeerCalls } from '../messages/node-calls.ts';
import {
  HandOverAnswer,
  HolderAnswer,
  type LeaseRevision,
  OpenAnswer,
  PingAnswer,
  PrepareAnswer,
} from '../messages/node-messages.ts';
import { decodeAnswer, encodeHandedOn, HOPS_HEADER } from '../messages/query-wire.ts';
import {
  RebuildAnswer,
  type RebuildRequest,
  SurveyAnswer,
  type SurveyAnswer as SurveyAnswerType,
  type SurveyRequest,
} from '../messages/rebuild.ts';
import { type ReadAnswer, type ReadRequest } from '../messages/reading.ts';
import { RuleAnswer } from '../messages/segment-rule.ts';
import { type Subjects, type SyncVerb } from '../messages/subjects.ts';
import { decodeWriteAnswer, encodeWrite } from '../messages/write-wire.ts';
import { type WriteAnswer, type WriteCall } from '../messages/writing.ts';
import { Backoff } from '../runtime/backoff.ts';
import { pause } from '../runtime/pause.ts';
import { type Clock } from '../runtime/clock.ts';
import { CONTROL_SILENCE_MS, isSilence } from './silence.ts';

export interface BusCallsDeps {
  readonly bus: Bus;
  readonly subjects: Subjects;
  readonly clock: Clock;
  readonly random: () => number;
  readonly queryDeadlineMs: number;
  readonly writeDeadlineMs: number;
}

/** What the bytes of a copy have to be. */
export const SHA256_HEADER = 'Trough-Sha256';
/** An election takes up to 10 s: requests to the leader wait for it. */
const LEADER_WAIT_MS = 15_000;
const SHORT_MS = 60_000;
/** For what uploads or downloads a whole segment. */
const LONG_MS = 3_600_000;
const PING_MS = 1_000;
/** The node answers within a second, that it has or that it has not. */
const APPLIED_MS = 2_000;
const PING_TRIES = 5;
/** One node that does not answer must not hold up the answer about all. */
const COPY_MS = 2_000;
/** A read goes to another copy soon. */
const READ_SILENCE_MS = 3_000;
/** After these a write that was sent may have been kept. */
const UNKNOWN_OUTCOME: ReadonlySet<ErrorCode> = new Set(['BUS_TIMEOUT', 'BUS_UNREACHABLE', 'BUS_ANSWER_BROKEN']);

/** What is asked of the leader: `again` says that it may be asked twice. */
interface LeaderQuestion<Answer> {
  readonly verb: SyncVerb;
  readonly schema: z.ZodType<Answer>;
  readonly deadlineMs: number;
  readonly again: (request: unknown) => boolean;
}

/** Everything that this process asks of others over the bus, typed. */
export class BusCalls implements NodeCalls, PeerCalls {
  readonly #deps: BusCallsDeps;

  constructor(deps: BusCallsDeps) {
    this.#deps = deps;
  }

  /**
   * The leader's services. A request waits for a leader for 15 s; then LEADER_UNKNOWN. A leader that falls silent for 6 s is asked again when the
   * request only reads; else LEADER_UNKNOWN with `silent: true`, and the outcome is not known.
   */
  get control(): Control {
    const at =
      <Answer>(verb: SyncVerb, schema: z.ZodType<Answer>, deadlineMs: number, again: (request: unknown) => boolean) =>
      (request: unknown): Promise<Answer> =>
        this.#askLeader({ verb, schema, deadlineMs, again }, request);
    return {
      provision: at('provision', ProvisionAnswer, LONG_MS, never),
      promote: at('promote', PromoteAnswer, LONG_MS, never),
      release: at('release', ReleaseAnswer, LONG_MS, never),
      moveWriter: at('movewriter', MoveWriterAnswer, LONG_MS, never),
      shred: at('shred', ShredAnswer, LONG_MS, never),
      schema: at('schema', SchemaAnswer, SHORT_MS, isSchemaRead),
      segments: at('segments', SegmentsAnswer, SHORT_MS, always),
      segment: at('segment', SegmentAnswer, SHORT_MS, always),
      status: at('status', StatusAnswer, SHORT_MS, always),
      plan: at('plan', PlanAnswer, SHORT_MS, always),
      drain: at('drain', DrainAnswer, SHORT_MS, always),
      // What it says holds, however often it is said.
      rule: at('rule', RuleAnswer, SHORT_MS, always),
      // What it mended is mended, when it is asked again.
      coldCheck: at('coldcheck', ColdCheckAnswer, LONG_MS, always),
      rebuild: at('rebuild', RebuildAnswer, SHORT_MS, (request) => (request as RebuildRequest).job !== undefined),
    };
  }

  /** Once: the caller asks again. */
  manifest(node: string, after: string | undefined, signal: AbortSignal): Promise<ManifestAnswerType> {
    const options = { deadlineMs: SHORT_MS, silenceMs: CONTROL_SILENCE_MS, signal };
    return this.#json(this.#deps.subjects.sync('manifest'), { node, after }, ManifestAnswer, options);
  }

  open(node: string, request: unknown): Promise<OpenAnswer> {
    return this.#askNode(node, 'open', request, OpenAnswer);
  }

  prepare(node: string, request: unknown): Promise<PrepareAnswer> {
    return this.#askNode(node, 'prepare', request, PrepareAnswer);
  }

  promote(node: string, request: unknown): Promise<HolderAnswer> {
    return this.#askNode(node, 'promote', request, HolderAnswer);
  }

  close(node: string, request: unknown): Promise<HolderAnswer> {
    return this.#askNode(node, 'close', request, HolderAnswer);
  }

  handOver(node: string, request: unknown): Promise<HandOverAnswer> {
    return this.#askNode(node, 'handover', request, HandOverAnswer);
  }

  async applied(node: string, leases: readonly LeaseRevision[]): Promise<void> {
    const options = { deadlineMs: APPLIED_MS };
    const subject = this.#deps.subjects.node(node, 'applied');
    await this.#asNode(node, () => this.#json(subject, { leases }, z.object({}), options));
  }

  /** What the node has, for a rebuild. */
  survey(node: string, request: SurveyRequest): Promise<SurveyAnswerType> {
    return this.#askNode(node, 'survey', request, SurveyAnswer);
  }

  /** Has the node publish its copy once more. */
  restore(node: string, request: RestoreRequest): Promise<RestoreAnswer> {
    return this.#askNode(node, 'restore', request, RestoreAnswer);
  }

  /** Who answers under the node name; undefined when nobody does. One who listens and is slow, or whose answer was lost, is asked again. */
  async ping(node: string): Promise<PingAnswer | undefined> {
    for (let tries = 1; tries <= PING_TRIES; tries += 1) {
      try {
        return await this.#json(this.#deps.subjects.node(node, 'ping'), {}, PingAnswer, { deadlineMs: PING_MS });
      } catch (error) {
        const { code } = TroughError.from(error);
        if (code === 'BUS_NO_RESPONDERS') return undefined;
        if (code !== 'BUS_TIMEOUT') throw error;
      }
    }
    return undefined;
  }

  /** What the node has of a segment; undefined when it does not say in time. */
  async copy(node: string, segment: string): Promise<CopyReport | undefined> {
    try {
      return await this.#json(this.#deps.subjects.node(node, 'copy'), { segment }, CopyReport, { deadlineMs: COPY_MS });
    } catch (error) {
      const { code } = TroughError.from(error);
      if (code === 'BUS_NO_RESPONDERS' || code === 'BUS_TIMEOUT') return undefined;
      throw error;
    }
  }

  /** The node's own copy of one version, as bytes. SEGMENT_UNKNOWN when it has another or none; NODE_UNAVAILABLE. */
  pass(node: string, request: FileRequest, signal: AbortSignal): Promise<PassedFile> {
    const body = Buffer.from(JSON.stringify(request), 'utf8');
    const options = { deadlineMs: SHORT_MS, silenceMs: CONTROL_SILENCE_MS, signal };
    return this.#asNode(node, async () => {
      const reply = await this.#deps.bus.request(this.#deps.subjects.node(node, 'file'), body, options);
      return { sha256: reply.headers[SHA256_HEADER] ?? '', body: reply.body };
    });
  }

  /** What is in the node's lost+found. NODE_UNAVAILABLE. */
  lost(node: string): Promise<LostAnswer> {
    const options = { deadlineMs: COPY_MS };
    return this.#asNode(
      node,
      () => this.#json(this.#deps.subjects.node(node, 'lost'), {}, LostAnswer, options),
      'BUS_TIMEOUT',
    );
  }

  /** NODE_UNAVAILABLE also when the node falls silent before its answer begins, or the connection drops: another copy may be asked. */
  async read(node: string, request: ReadRequest, signal: AbortSignal): Promise<ReadAnswer> {
    const subject = this.#deps.subjects.nodeQuery(node, request.segment);
    const options = {
      headers: { [HOPS_HEADER]: String(request.hops) },
      deadlineMs: (request.deadlineMs ?? this.#deps.queryDeadlineMs) + 1_000,
      silenceMs: READ_SILENCE_MS,
      signal,
    };
    const ask = (): Promise<BusReply> => this.#deps.bus.request(subject, encodeHandedOn(request), options);
    const reply = await this.#asNode(node, ask, 'BUS_UNREACHABLE');
    return decodeAnswer(reply);
  }

  /** NODE_UNAVAILABLE when nobody took it; WRITE_OUTCOME_UNKNOWN when it was sent and no answer to it can be read. */
  async write(node: string, call: WriteCall): Promise<WriteAnswer> {
    const subject = this.#deps.subjects.nodeWrite(node, call.segment);
    const options = {
      headers: { [HOPS_HEADER]: '1' },
      deadlineMs: this.#deps.writeDeadlineMs * 2 + 5_000,
      silenceMs: CONTROL_SILENCE_MS,
    };
    const message = encodeWrite(call);
    let body: Uint8Array;
    try {
      body = await wholeBody(await this.#deps.bus.request(subject, message, options));
    } catch (error) {
      throw writeError(node, call, TroughError.from(error));
    }
    try {
      return decodeWriteAnswer(body);
    } catch (error) {
      throw outcomeUnknown(node, call, TroughError.from(error));
    }
  }

  #askNode<T>(
    node: string,
    verb: 'open' | 'prepare' | 'promote' | 'close' | 'handover' | 'restore' | 'survey',
    request: unknown,
    schema: z.ZodType<T>,
  ): Promise<T> {
    const options = { deadlineMs: LONG_MS, silenceMs: CONTROL_SILENCE_MS };
    return this.#asNode(node, () => this.#json(this.#deps.subjects.node(node, verb), request, schema, options));
  }

  /** Nobody answers for the node, or it fell silent: then it is not there, whatever the wire says. */
  async #asNode<T>(node: string, call: () => Promise<T>, alsoAway?: ErrorCode): Promise<T> {
    try {
      return await call();
    } catch (error) {
      const known = TroughError.from(error);
      if (isSilence(known)) {
        const message = `the node '${node}' gave no sign of life; whether it did what was asked is not known`;
        throw new TroughError('NODE_UNAVAILABLE', message, { node }, known);
      }
      if (known.code !== 'BUS_NO_RESPONDERS' && known.code !== alsoAway) throw known;
      throw unavailable(node, known);
    }
  }

  async #askLeader<T>({ verb, schema, deadlineMs, again }: LeaderQuestion<T>, request: unknown): Promise<T> {
    const { clock, random, subjects } = this.#deps;
    const backoff = new Backoff({ firstMs: 50, mostMs: 500 }, random);
    const startedAt = clock.monotonic();
    for (;;) {
      try {
        const options = { deadlineMs, silenceMs: CONTROL_SILENCE_MS };
        return await this.#json(subjects.sync(verb), request, schema, options);
      } catch (error) {
        const known = TroughError.from(error);
        const { code, message } = known;
        const silent = isSilence(known);
        if (!silent && code !== 'LEADER_UNKNOWN' && code !== 'BUS_NO_RESPONDERS') throw error;
        if (silent && !again(request)) throw leaderSilent(verb, known);
        if (clock.monotonic() - startedAt > LEADER_WAIT_MS) {
          throw new TroughError('LEADER_UNKNOWN', `no sync-master leads the cluster now: ${message}`, {}, error);
        }
      }
      await pause(clock, backoff.next());
    }
  }

  async #json<T>(subject: string, request: unknown, schema: z.ZodType<T>, options: RequestOptions): Promise<T> {
    const body = Buffer.from(JSON.stringify(request), 'utf8');
    const reply = await this.#deps.bus.request(subject, body, options);
    const text = decodeText(await wholeBody(reply));
    return checkShape(schema, JSON.parse(text), `an answer to ${subject}`);
  }
}

const never = (): boolean => false;
const always = (): boolean => true;

function isSchemaRead(request: unknown): boolean {
  const { op } = request as SchemaRequest;
  return op === 'list' || op === 'get';
}

function leaderSilent(verb: SyncVerb, cause: TroughError): TroughError {
  const message = `the leader gave no sign of life during '${verb}'; whether it was done is not known`;
  return new TroughError('LEADER_UNKNOWN', message, { silent: true }, cause);
}

function unavailable(node: string, cause: TroughError): TroughError {
  return new TroughError('NODE_UNAVAILABLE', `the node '${node}' does not answer`, { node }, cause);
}

/** What the error of a write says about it: not taken by anybody, perhaps kept, or refused by the holder. */
function writeError(node: string, call: WriteCall, error: TroughError): TroughError {
  const { code, context } = error;
  if (code === 'BUS_NO_RESPONDERS') return unavailable(node, error);
  if (UNKNOWN_OUTCOME.has(code) && context['sent'] !== false) return outcomeUnknown(node, call, error);
  if (code === 'STOPPING' && context['unfinished'] === true) return outcomeUnknown(node, call, error);
  return error;
}

function outcomeUnknown(node: string, { segment }: WriteCall, cause: TroughError): TroughError {
  const message = `the write to '${segment}' was sent to the node '${node}' and may or may not have been kept: ${cause.message}`;
  return new TroughError('WRITE_OUTCOME_UNKNOWN', message, { segment, node }, cause);
}

async function wholeBody(reply: BusReply): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of reply.body) parts.push(part);
  return Buffer.concat(parts);
}
