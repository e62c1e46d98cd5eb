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

/** Takes one value of a settings file; a second one for the same setting is a problem. */
export function give(key: string, given: Given, findings: Findings): void {
  const other = findings.given.get(key);
  if (other === undefined) findings.given.set(key, given);
  else findings.problems.push(`${other.origin.place} and ${given.origin.place} say the same thing: keep one of them`);
}
