/**
 * What the header of a writable segment's file holds as `application_id` when it has applied everything up to `sequence`: the low 32 bits, as
 * the signed number that SQLite makes of them.
 */
export function appliedMark(sequence: number): number {
  return Number(BigInt.asIntN(32, BigInt(sequence)));
}
