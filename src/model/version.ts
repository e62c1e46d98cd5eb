/**
 * The version of a published state: `max(previous + 1, modification time in ms)`. It grows with every publish, also where a clock
 * went back, and says to people when the state was made. Equality of contents is by checksum, never by version.
 */
export function nextVersion(previous: number | null | undefined, modifiedMs: number): number {
  const byTime = Math.floor(modifiedMs);
  return previous === null || previous === undefined ? byTime : Math.max(previous + 1, byTime);
}
