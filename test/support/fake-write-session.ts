import {
  type ReplayRecord,
  type SnapshotFile,
  type SnapshotOptions,
  type StampedWrite,
  type StatementResult,
  type WriteOutcome,
  type WriteRequest,
  type WriteSession,
} from '../../src/engine/engine.ts';
import { TroughError } from '../../src/errors.ts';
import { appliedMark } from '../../src/model/applied-mark.ts';
import { type Clock } from '../../src/runtime/clock.ts';
import { Turns } from '../../src/runtime/turns.ts';
import { sha256Of } from './fake-cold-store.ts';
import { type FakeDisk } from './fake-disk.ts';
import { type FakeGate } from './fake-gate.ts';
import { markOf, withMark } from './marked-content.ts';

export interface FakeWriteSessionDeps {
  readonly disk: FakeDisk;
  readonly clock: Clock;
  readonly gate: FakeGate;
  readonly file: string;
  /** The SQL of each group that was asked for. */
  readonly groups: string[][];
}

/**
 * A database whose content is the SQL that was committed, a line each. SQL that starts with `bad` fails by itself, `endless` runs into the
 * deadline and takes the child with it, `crash` takes the child at once, `crash at commit` only with the commit.
 */
export class FakeWriteSession implements WriteSession {
  readonly sizeBytes: number;
  readonly sqliteVersion = '3.0.0';
  readonly lost: Promise<void>;
  readonly #deps: FakeWriteSessionDeps;
  readonly #dies = Promise.withResolvers<undefined>();
  readonly #turns = new Turns();
  #pending: string[] | undefined;
  #state: 'open' | 'dead' | 'closed' = 'open';

  constructor(deps: FakeWriteSessionDeps) {
    this.#deps = deps;
    this.sizeBytes = this.#content().length;
    this.lost = this.#dies.promise;
  }

  apply(writes: readonly StampedWrite[], deadlineMs: number): Promise<readonly WriteOutcome[]> {
    this.#deps.groups.push(writes.map(({ request }) => sqlOf(request)));
    return this.#turns.take(() => this.#apply(writes, deadlineMs));
  }

  async #apply(writes: readonly StampedWrite[], deadlineMs: number): Promise<readonly WriteOutcome[]> {
    this.#check();
    const { clock, gate } = this.#deps;
    const sql = writes.map(({ request }) => sqlOf(request));
    await gate.pass('apply');
    this.#check();
    if (sql.some((text) => text.startsWith('endless'))) {
      await new Promise<void>((resolve) => clock.after(deadlineMs, resolve));
      this.die();
      throw new TroughError('ENGINE_DEADLINE', 'the write ran longer than it may');
    }
    if (sql.includes('crash')) this.#dieWith('the child died');
    this.#pending = sql.filter((text) => !text.startsWith('bad'));
    return sql.map(outcomeOf);
  }

  commit(at?: { readonly sequence: number }): Promise<void> {
    return this.#turns.take(() => this.#commit(at));
  }

  async #commit(at?: { readonly sequence: number }): Promise<void> {
    this.#check();
    await this.#deps.gate.pass('commit');
    this.#check();
    if (this.#pending?.includes('crash at commit') === true) this.#dieWith('the child died with its commit');
    const lines = (this.#pending ?? []).map((line) => `${line}\n`).join('');
    this.#write(lines, at);
    this.#pending = undefined;
  }

  applied(): Promise<number> {
    return this.#turns.take(() => this.#applied());
  }

  async #applied(): Promise<number> {
    this.#check();
    await this.#deps.gate.pass('applied');
    return markOf(this.#content());
  }

  setApplicationId(value: number): Promise<void> {
    return this.#turns.take(async () => {
      this.#check();
      await this.#deps.gate.pass('setApplicationId');
      this.#deps.disk.files.set(this.#deps.file, withMark(this.#content(), value));
    });
  }

  replay(records: readonly ReplayRecord[]): Promise<void> {
    return this.#turns.take(() => this.#replay(records));
  }

  async #replay(records: readonly ReplayRecord[]): Promise<void> {
    this.#check();
    await this.#deps.gate.pass('replay');
    this.#check();
    const sql = records.flatMap(({ writes }) => writes.map(({ request }) => sqlOf(request)));
    const failing = sql.find((text) => text.startsWith('bad'));
    if (failing !== undefined) throw new TroughError('REPLAY_DIFFERS', `${failing} failed`);
    this.#write(sql.map((text) => `${text}\n`).join(''), records.at(-1));
  }

  rollback(): Promise<void> {
    return this.#turns.take(() => this.#rollback());
  }

  async #rollback(): Promise<void> {
    this.#check();
    await this.#deps.gate.pass('rollback');
    this.#pending = undefined;
  }

  async snapshot(to: string, { applicationId }: SnapshotOptions = {}): Promise<SnapshotFile> {
    this.#check();
    const content = this.#content();
    await this.#deps.gate.pass('snapshot');
    this.#check();
    const applied = markOf(content);
    const copy = withMark(content, applicationId ?? applied);
    this.#deps.disk.files.set(to, copy);
    return { sizeBytes: copy.length, sha256: sha256Of(copy), applied };
  }

  /** As when the process is killed from outside. */
  die(): void {
    if (this.#state === 'open') this.#state = 'dead';
    this.#pending = undefined;
    this.#dies.resolve(undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#deps.gate.pass('close');
    if (this.#state === 'open') this.#state = 'closed';
  }

  #write(lines: string, at: { readonly sequence: number } | undefined): void {
    const content = this.#content() + lines;
    const marked = at === undefined ? content : withMark(content, appliedMark(at.sequence));
    this.#deps.disk.files.set(this.#deps.file, marked);
  }

  #content(): string {
    return this.#deps.disk.files.get(this.#deps.file) ?? '';
  }

  #check(): void {
    if (this.#state === 'dead') throw new TroughError('ENGINE_CHILD_DIED', 'the process of this session died');
    if (this.#state === 'closed') throw new TroughError('INTERNAL', 'the write session is closed');
  }

  #dieWith(why: string): never {
    this.die();
    throw new TroughError('ENGINE_CHILD_DIED', why);
  }
}

function sqlOf(request: WriteRequest): string {
  return request.kind === 'script' ? request.sql : request.statements.map(({ sql }) => sql).join('; ');
}

function outcomeOf(sql: string): WriteOutcome {
  const results: StatementResult[] = [{ changes: 1, lastInsertRowid: 1n }];
  if (!sql.startsWith('bad')) return { ok: true, results };
  return { ok: false, error: { code: 'SQL_FAILED', message: `${sql} failed` } };
}
