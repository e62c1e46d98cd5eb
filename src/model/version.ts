/**
 * The version of a published state: `max(previous + 1, modification time in ms)`. It grows with every publish, also where a clock
 * went back, and says to people when the state was made. Equality of contents is by checksum, never by version.
 */
export function nextVersion(previous: number | null | undefined, modifiedMs: number): number {
  const byTime = Math.floor(modifiedMs);
  return previous === null || previous === undefined ? byTime : Math.max(previous + 1, byTime);
}

/** The highest of the versions that are known from several places (leases, inventories, cold storage); undefined when none is. */
export function highestVersion(known: Iterable<number | null | undefined>): number | undefined {
  let highest: number | undefined;
  for (const version of known) {
    if (version !== null && version !== undefined && (highest === undefined || version > highest)) highest = version;
  }
  return highest;
}
