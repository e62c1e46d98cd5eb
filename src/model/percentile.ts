/** The smallest value that `share` (0 to 1) of all are not above: one of the values, never something between two. Undefined of none. */
export function percentile(sorted: ArrayLike<number>, share: number): number | undefined {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
}
