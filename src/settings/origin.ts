/** Where a value came from. */
export interface Origin {
  readonly kind: 'default' | 'file' | 'environment' | 'flag';
  /** As a person would look for it: `trough.yaml:3 (queryDeadline)`, `environment TROUGH_DATA`, `flag --data`. */
  readonly place: string;
}

/** A value as it was given, not yet checked. */
export interface Given {
  readonly raw: unknown;
  readonly origin: Origin;
}

/** What was given, what is wrong with it, and what is only to be said. */
export interface Findings {
  readonly given: Map<string, Given>;
  readonly problems: string[];
  readonly warnings: string[];
}
