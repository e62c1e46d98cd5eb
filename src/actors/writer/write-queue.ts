import { type WriteOutcome } from '../../engine/engine.ts';
import { TroughError } from '../../errors.ts';
import { type StampedWrite, type StatementResult, type WriteRequest } from '../../model/sql-types.ts';

export interface Written {
  readonly results: readonly StatementResult[];
  readonly sequence: number;
}

export interface Waiting {
  readonly write: StampedWrite;
  /** Of its SQL and parameters, about. */
  readonly bytes: number;
  readonly deadlineMs: number;
  readonly askedAt: number;
  /** It was in a group that could not be done as a whole, so it runs once more, by itself. */
  readonly alone: boolean;
  readonly resolve: (written: Written) => void;
  readonly reject: (error: TroughError) => void;
}

/** A group larger than this waits no longer for its one sync than several smaller ones would. */
const LARGEST_GROUP = 512;

/** Writes of one segment that wait for their turn, in the order in which they came. */
export class WriteQueue {
  #waiting: Waiting[] = [];

  get length(): number {
    return this.#waiting.length;
  }

  add(waiting: Waiting): void {
    this.#waiting.push(waiting);
  }

  /** Each of them once more, before all others and by itself. */
  repeatAlone(group: readonly Waiting[]): void {
    this.#waiting.unshift(...group.map((waiting) => ({ ...waiting, alone: true })));
  }

  /** The next ones that may share a transaction, of so many bytes at most when there are several. */
  next(limitBytes: number): Waiting[] {
    if (this.#waiting[0]?.alone === true) return this.#waiting.splice(0, 1);
    let bytes = 0;
    let count = 0;
    for (const waiting of this.#waiting) {
      bytes += waiting.bytes;
      if (waiting.alone || count === LARGEST_GROUP || (count > 0 && bytes > limitBytes)) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  rejectAll(error: TroughError): void {
    rejectAll(this.#waiting.splice(0), error);
  }
}

export function rejectAll(group: readonly Waiting[], error: TroughError): void {
  for (const { reject } of group) reject(error);
}

/** At least what the request takes in a record. */
export function sizeOf(request: WriteRequest): number {
  if (request.kind === 'script') return textSize(request.sql);
  let bytes = 0;
  for (const { sql, params } of request.statements) {
    bytes += textSize(sql);
    for (const value of Object.values(params ?? {}) as unknown[]) {
      if (typeof value === 'string') bytes += textSize(value);
      else if (value instanceof Uint8Array) bytes += Math.ceil((value.length * 4) / 3);
      else bytes += 4;
    }
  }
  return bytes;
}

/** Long texts decide whether a record fits, so these are measured as JSON has them: line breaks and quotes take two bytes there. */
const LONG_TEXT = 65_536;

function textSize(text: string): number {
  return Buffer.byteLength(text.length < LONG_TEXT ? text : JSON.stringify(text), 'utf8');
}

/** Each by what became of it. */
export function settleAll(group: readonly Waiting[], outcomes: readonly WriteOutcome[], sequence: number): void {
  group.forEach((waiting, index) => {
    const outcome = outcomes[index];
    if (outcome === undefined) waiting.reject(new TroughError('INTERNAL', 'a write has no outcome'));
    else if (outcome.ok) waiting.resolve({ results: outcome.results, sequence });
    else waiting.reject(TroughError.fromRecord(outcome.error));
  });
}
