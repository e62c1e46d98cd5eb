import { TroughError } from '../../errors.ts';
import { type RecordedWrite } from '../../model/sql-types.ts';
import { type Clock } from '../../runtime/clock.ts';
import { pause } from '../../runtime/pause.ts';
import { withDeadline } from '../../runtime/deadline.ts';
import { type HeldLease } from './held-lease.ts';
import { type SegmentChain } from './segment-chain.ts';

/** Where a group of writes is noted before it is committed, and so before anybody is told that it was. */
export interface GroupLog {
  /** Bytes of SQL and parameters that a group may have together; what has more cannot be noted. */
  readonly limitBytes: number;
  /** Whether the writes survive this node. */
  readonly isDurable: boolean;
  /** Of all records so far. */
  readonly recordedBytes: number;
  /** Resolves when a group may begin. JOURNAL_UNREACHABLE when it could not be noted now: then it is better not begun. */
  ready(): Promise<void>;
  /**
   * The group's sequence, above all before. JOURNAL_UNKNOWN: nobody can say whether it is noted. JOURNAL_FENCED: another node writes the segment. Any
   * other error: it is not noted and never will be.
   */
  record(writes: readonly RecordedWrite[], sqliteVersion: string, deadlineMs: number): Promise<number>;
}

/** Without a journal: the file on this node is all there is, so the lease must be ours at the moment of the commit. */
export class LocalLog implements GroupLog {
  readonly limitBytes = Infinity;
  readonly isDurable = false;
  readonly recordedBytes = 0;
  readonly #lease: HeldLease;
  #sequence = 0;

  constructor(lease: HeldLease) {
    this.#lease = lease;
  }

  ready(): Promise<void> {
    return Promise.resolve();
  }

  async record(): Promise<number> {
    await this.#lease.assertHeld();
    this.#sequence += 1;
    return this.#sequence;
  }
}

const PATIENCE_MS = 2_000;
const LOOK_AGAIN_MS = 50;

/** In the segment's journal: what is noted there is kept, whatever becomes of this node, and nobody else can have noted anything since our claim. */
export class JournalLog implements GroupLog {
  readonly isDurable = true;
  readonly #chain: SegmentChain;
  readonly #applicationId: number;
  readonly #lease: HeldLease;
  readonly #clock: Clock;
  #recordedBytes = 0;

  constructor(chain: SegmentChain, applicationId: number, lease: HeldLease, clock: Clock) {
    this.#chain = chain;
    this.#lease = lease;
    this.#applicationId = applicationId;
    this.#clock = clock;
  }

  get limitBytes(): number {
    return this.#chain.deps.journal.recordLimitBytes;
  }

  get recordedBytes(): number {
    return this.#recordedBytes;
  }

  /** A server that is started again is waited for; one that stays away makes writes busy. */
  async ready(): Promise<void> {
    for (let waitedMs = 0; !this.#lease.isConnected; waitedMs += LOOK_AGAIN_MS) {
      if (waitedMs >= PATIENCE_MS) {
        const message =
          'this node is cut off from NATS, so writes cannot be kept: nothing of this was, try again shortly';
        throw new TroughError('JOURNAL_UNREACHABLE', message);
      }
      await pause(this.#clock, LOOK_AGAIN_MS);
    }
  }

  async record(writes: readonly RecordedWrite[], sqliteVersion: string, deadlineMs: number): Promise<number> {
    const body = this.#chain.encode({ kind: 'data', applicationId: this.#applicationId, sqliteVersion, writes });
    if (body.length > this.limitBytes) throw tooLarge(body.length, this.limitBytes);
    this.#recordedBytes += body.length;
    return withDeadline(this.#clock, deadlineMs, (signal) => this.#chain.appendEncoded(body, false, signal));
  }
}

export function tooLarge(bytes: number, limitBytes: number): TroughError {
  const message =
    `one transaction may have ${String(limitBytes)} bytes of SQL, parameters and results in the journal, and this one has ${String(bytes)}: ` +
    'send it in several, or raise max_payload of the NATS servers';
  return new TroughError('JOURNAL_TOO_LARGE', message, { bytes, limitBytes });
}
