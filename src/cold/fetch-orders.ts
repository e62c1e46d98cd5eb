import { type ErrorRecord } from '../errors.ts';
import { type LogLevel } from '../log.ts';
import { type SegmentId } from '../model/segment-id.ts';
import { type ColdFile, type FetchedKnown } from './cold-store.ts';
import { type ColdSettings } from './open-cold.ts';

/** What the process that fetches is told on its command line, as JSON. */
export interface FetchChildArguments {
  readonly cold: ColdSettings;
  readonly logLevel: LogLevel;
  readonly logFields: Readonly<Record<string, string>>;
}

/** One `ColdStore.fetch`. */
export interface FetchOrder {
  readonly id: SegmentId;
  readonly to: string;
  readonly sha256?: string | undefined;
  /** Where the file lies, when that is known. */
  readonly at?: ColdFile | undefined;
}

/** To the process; `call` is a number that no other call has. Each fetch is answered once, also one that is cancelled. */
export type FetchMessage =
  | { readonly kind: 'fetch'; readonly call: number; readonly order: FetchOrder }
  | { readonly kind: 'cancel'; readonly call: number };

/** From the process. */
export type FetchAnswer =
  { readonly call: number; readonly fetched: FetchedKnown } | { readonly call: number; readonly error: ErrorRecord };
