import { type ErrorRecord } from '../errors.ts';
import { type RowFormat } from '../model/sql-types.ts';
import { type AnswerLimits } from './answer-budget.ts';
import { type WireParams, type WireValue } from './wire-values.ts';

/** One query as a child gets it. */
export interface QueryMessage {
  readonly file: string;
  readonly version: string;
  readonly live: boolean;
  readonly sql: string;
  readonly params?: WireParams | undefined;
  readonly format: RowFormat;
  readonly bigints: 'digits' | 'string';
  readonly maxRows?: number | undefined;
}

export type WireRequest =
  | { readonly kind: 'script'; readonly sql: string }
  | { readonly kind: 'statements'; readonly statements: readonly WireStatement[] };

/** What SQL sees of the clock and of chance, see `WriteStamp`. */
export interface WireStamp {
  readonly timeMs: number;
  readonly seed: string;
}

export interface WireWrite extends WireStamp {
  readonly request: WireRequest;
}

export interface WireResult {
  readonly changes: number;
  readonly lastInsertRowid: string;
}

export interface WireRecord {
  readonly sequence: number;
  readonly sqliteVersion: string;
  readonly writes: readonly (WireWrite & { readonly results: readonly WireResult[] })[];
}

export interface WireStatement {
  readonly sql: string;
  readonly params?: WireParams | undefined;
}

export interface WireLocalStatement extends WireStatement {
  /** The statement runs once for each. */
  readonly rows?: readonly (readonly WireValue[])[] | undefined;
}

export type WireOutcome =
  { readonly ok: true; readonly results: readonly WireResult[] } | { readonly ok: false; readonly error: ErrorRecord };

/** What a child does besides queries: the arguments and the answer of each operation. */
export interface Services {
  checkSchema: { args: { sql: string }; answer: null };
  /** Makes the file when it is absent. */
  buildFile: {
    args: {
      file: string;
      temporary: string;
      sql: string;
      stamp: WireStamp | undefined;
      mark: number | undefined;
    };
    /** With a mark: the value that it stands in place of. null: no mark was asked for. */
    answer: { applicationId: number | null };
  };
  verify: { args: { file: string }; answer: null };
  /** Makes a fresh copy a plain file: no WAL, checked, synced. */
  finishSnapshot: { args: { file: string; applicationId: number | undefined }; answer: { sizeBytes: number } };
  openWriter: {
    args: { file: string; isJournaled: boolean };
    answer: { handle: number; sizeBytes: number; sqliteVersion: string };
  };
  apply: { args: { handle: number; writes: readonly WireWrite[] }; answer: readonly WireOutcome[] };
  commit: { args: { handle: number; sequence: number | undefined }; answer: null };
  rollback: { args: { handle: number }; answer: null };
  applied: { args: { handle: number }; answer: number };
  setApplicationId: { args: { handle: number; value: number }; answer: null };
  replay: { args: { handle: number; records: readonly WireRecord[] }; answer: null };
  copyTo: { args: { handle: number; to: string }; answer: { applied: number } };
  closeWriter: { args: { handle: number }; answer: null };
  openLocal: { args: { file: string; migrations: readonly string[] }; answer: { handle: number } };
  runLocal: { args: { handle: number; statements: readonly WireLocalStatement[] }; answer: null };
  allLocal: { args: { handle: number } & WireStatement; answer: readonly (readonly WireValue[])[] };
  closeLocal: { args: { handle: number }; answer: null };
}

export type ServiceName = keyof Services;
export type ServiceHandlers = {
  readonly [Name in ServiceName]: (
    args: Services[Name]['args'],
    signal: AbortSignal,
  ) => Services[Name]['answer'] | Promise<Services[Name]['answer']>;
};

export interface ServiceMessage {
  readonly name: ServiceName;
  readonly args: Services[ServiceName]['args'];
}

/** What all children of an engine are to keep to. */
export interface ChildSettings {
  readonly openFiles: number;
  /** What SQLite may cache of all open segments together. Default: no limit. */
  readonly cacheBytes?: number | undefined;
  /** Where SQLite puts its temporary files. Default: where the system has them. */
  readonly scratch?: string | undefined;
  readonly answers?: AnswerLimits | undefined;
}

/** What a child is told on its command line. */
export interface ChildArguments extends ChildSettings {
  /** The process that started it. */
  readonly parent: number;
  /** The system does not end it with its parent, so it has to see to that itself. */
  readonly watchesParent: boolean;
}
