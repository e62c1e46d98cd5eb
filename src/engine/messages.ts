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

export interface WireStatement {
  readonly sql: string;
  readonly params?: WireParams | undefined;
}

export interface WireLocalStatement extends WireStatement {
  /** The statement runs once for each. */
  readonly rows?: readonly (readonly WireValue[])[] | undefined;
}

export type WireOutcome =
  | { readonly ok: true; readonly results: readonly { readonly changes: number; readonly lastInsertRowid: string }[] }
  | { readonly ok: false; readonly error: ErrorRecord };

/** What a child does besides queries: the arguments and the answer of each operation. */
export interface Services {
  checkSchema: { args: { sql: string }; answer: null };
  /** Makes the file when it is absent. */
  buildFile: { args: { file: string; temporary: string; sql: string }; answer: null };
  verify: { args: { file: string }; answer: null };
  /** Makes a fresh copy a plain file: no WAL, checked, synced. */
  finishSnapshot: { args: { file: string }; answer: { sizeBytes: number } };
  openWriter: { args: { file: string }; answer: { handle: number; sizeBytes: number } };
  apply: { args: { handle: number; requests: readonly WireRequest[] }; answer: readonly WireOutcome[] };
  commit: { args: { handle: number }; answer: null };
  rollback: { args: { handle: number }; answer: null };
  copyTo: { args: { handle: number; to: string }; answer: null };
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
