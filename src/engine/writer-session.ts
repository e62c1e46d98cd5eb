import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { TroughError } from '../errors.ts';
import {
  type ReplayRecord,
  type SnapshotFile,
  type SnapshotOptions,
  type StampedWrite,
  type StatementResult,
  type WriteOutcome,
  type WriteRequest,
  type WriteSession,
} from './engine.ts';
import { checkDeadlineMs, whoseCheckEnds } from './file-check.ts';
import { type WireOutcome, type WireRecord, type WireRequest, type WireResult, type WireWrite } from './messages.ts';
import { type ServiceChild } from './service-child.ts';
import { packParams } from './wire-values.ts';
import { withSegment } from './with-segment.ts';

export interface WriterSessionDeps {
  readonly writer: ServiceChild;
  /** Checks copies, so that writes go on meanwhile. */
  readonly checker: ServiceChild;
  readonly segment: string;
  readonly handle: number;
  readonly sizeBytes: number;
  readonly sqliteVersion: string;
  readonly applicationId?: number | undefined;
  /** That a check of a snapshot may take whatever its size, milliseconds. */
  readonly leastCheckMs: number;
}

/** A segment that is open in a writer child, by its handle there. */
export class ChildWriteSession implements WriteSession {
  readonly sizeBytes: number;
  readonly sqliteVersion: string;
  readonly applicationId: number | undefined;
  readonly #lost: PromiseWithResolvers<void> = Promise.withResolvers();
  readonly #deafen: () => void;
  readonly #deps: WriterSessionDeps;
  #state: 'open' | 'lost' | 'closed' = 'open';

  constructor(deps: WriterSessionDeps) {
    this.#deps = deps;
    this.sizeBytes = deps.sizeBytes;
    this.sqliteVersion = deps.sqliteVersion;
    this.applicationId = deps.applicationId;
    this.#deafen = deps.writer.onGone(() => {
      if (this.#state === 'open') this.#state = 'lost';
      this.#lost.resolve();
    });
  }

  get lost(): Promise<void> {
    return this.#lost.promise;
  }

  async apply(writes: readonly StampedWrite[], deadlineMs: number): Promise<readonly WriteOutcome[]> {
    this.#check();
    const { writer, handle, segment } = this.#deps;
    const call = writer.call('apply', { handle, writes: writes.map(packWrite) }, { deadlineMs });
    return (await withSegment(segment, call)).map(unpackOutcome);
  }

  async commit(at?: { readonly sequence: number }): Promise<void> {
    this.#check();
    const { writer, handle, segment } = this.#deps;
    await withSegment(segment, writer.call('commit', { handle, sequence: at?.sequence }));
  }

  async applied(): Promise<number> {
    this.#check();
    const { writer, handle, segment } = this.#deps;
    return withSegment(segment, writer.call('applied', { handle }));
  }

  async setApplicationId(value: number): Promise<void> {
    this.#check();
    const { writer, handle, segment } = this.#deps;
    await withSegment(segment, writer.call('setApplicationId', { handle, value }));
  }

  async replay(records: readonly ReplayRecord[], deadlineMs: number): Promise<void> {
    this.#check();
    const { writer, handle, segment } = this.#deps;
    const call = writer.call('replay', { handle, records: records.map(packRecord) }, { deadlineMs });
    await withSegment(segment, call);
  }

  async rollback(): Promise<void> {
    this.#check();
    const { writer, handle, segment } = this.#deps;
    await withSegment(segment, writer.call('rollback', { handle }));
  }

  async snapshot(to: string, { applicationId, signal }: SnapshotOptions = {}): Promise<SnapshotFile> {
    this.#check();
    const { writer, checker, handle, segment, leastCheckMs } = this.#deps;
    try {
      const copying = writer.call('copyTo', { handle, to }, { signal, isBackground: true });
      const { applied } = await withSegment(segment, copying);
      const deadlineMs = await checkDeadlineMs(to, leastCheckMs);
      const options = { deadlineMs, signal, isRepeatable: true };
      const finishing = checker.call('finishSnapshot', { file: to, applicationId }, options);
      const { sizeBytes } = await withSegment(segment, whoseCheckEnds(finishing));
      return { sizeBytes, applied, sha256: await sha256Of(to, signal) };
    } catch (error) {
      await rm(to, { force: true });
      throw TroughError.from(error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#deafen();
    if (this.#state !== 'open') return;
    this.#state = 'closed';
    const { writer, handle, segment } = this.#deps;
    try {
      await withSegment(segment, writer.call('closeWriter', { handle }));
    } catch (error) {
      // A child that is gone has closed the file in its own way.
      const { code } = TroughError.from(error);
      if (code !== 'ENGINE_CHILD_DIED' && code !== 'ENGINE_STOPPED') throw error;
    }
  }

  #check(): void {
    const { segment } = this.#deps;
    if (this.#state === 'lost')
      throw new TroughError('ENGINE_CHILD_DIED', 'the process of this write session died', { segment });
    if (this.#state === 'closed') throw new TroughError('INTERNAL', 'the write session is closed', { segment });
  }
}

function packRecord({ sequence, sqliteVersion, writes }: ReplayRecord): WireRecord {
  const packed = writes.map((write) => ({ ...packWrite(write), results: write.results.map(packResult) }));
  return { sequence, sqliteVersion, writes: packed };
}

function packResult({ changes, lastInsertRowid }: StatementResult): WireResult {
  return { changes, lastInsertRowid: lastInsertRowid.toString() };
}

function packWrite({ timeMs, seed, request }: StampedWrite): WireWrite {
  return { timeMs, seed, request: packRequest(request) };
}

function packRequest(request: WriteRequest): WireRequest {
  if (request.kind === 'script') return request;
  const statements = request.statements.map(({ sql, params }) => ({
    sql,
    params: params === undefined ? undefined : packParams(params),
  }));
  return { kind: 'statements', statements };
}

function unpackOutcome(outcome: WireOutcome): WriteOutcome {
  if (!outcome.ok) return outcome;
  const results = outcome.results.map(({ changes, lastInsertRowid }) => ({
    changes,
    lastInsertRowid: BigInt(lastInsertRowid),
  }));
  return { ok: true, results };
}

async function sha256Of(file: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: 256 * 1024, ...(signal && { signal }) }))
      hash.update(chunk as Buffer);
  } catch (error) {
    if (signal?.aborted === true) throw new TroughError('ENGINE_CANCELLED', 'the snapshot was cancelled', {}, error);
    throw error;
  }
  return hash.digest('hex');
}
