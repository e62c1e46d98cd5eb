/** What came of an operation, as its client knows it. `failed`: for certain, so nothing of it may ever be seen. `unknown`: it may have been kept. */
export type Outcome = 'ok' | 'failed' | 'unknown';

/** What a strong read saw of a segment. */
export interface Seen {
  /** Values in the list. */
  readonly count: number;
  /** The last of them, in their order. */
  readonly tail: readonly number[];
  /** null: nothing was ever written. */
  readonly register: number | null;
}

interface Common {
  readonly client: number;
  readonly segment: string;
  /** The node that answered last, or did not. */
  readonly node: string;
  /** ms, by one monotonic clock for all clients: before the first try was sent, and after the last answer was read. */
  readonly startMs: number;
  readonly endMs: number;
  readonly outcome: Outcome;
  /** Why it is not `ok`: the code of the last error. */
  readonly why?: string;
  /** How often it was sent. */
  readonly tries: number;
}

/** A write: to the end of the list, or into the register. Every value is written once in a segment, however often it is sent. */
export interface WriteOperation extends Common {
  readonly kind: 'append' | 'set';
  readonly value: number;
  /** Of the answer; `again`: of the answer to the same request, sent once more after that. */
  readonly sequence?: number;
  readonly again?: number;
}

export interface ReadOperation extends Common {
  readonly kind: 'read';
  /** Of one that is `ok`. */
  readonly seen?: Seen;
}

export type Operation = WriteOperation | ReadOperation;

/** Something that was done to the cluster, from its beginning until everything was whole again. */
export interface FaultRecord {
  readonly fault: string;
  readonly target: string;
  readonly beginMs: number;
  readonly endMs: number;
  /** Why it was not done, or not undone as it should have been. */
  readonly failed?: string;
}

/** The whole list as one node had it when all was over. */
export interface FinalRead {
  readonly segment: string;
  readonly node: string;
  readonly list: readonly number[];
  readonly register: number | null;
  readonly startMs: number;
  readonly endMs: number;
}

export interface Violation {
  readonly segment: string;
  readonly kind:
    | 'lost'
    | 'doubled'
    | 'not failed'
    | 'from nowhere'
    | 'order'
    | 'stale read'
    | 'early read'
    | 'other content'
    | 'register'
    | 'other answer'
    | 'not back'
    | 'nothing done';
  readonly message: string;
}
