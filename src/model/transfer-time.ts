/** How fast one node takes copies in. */
export interface TransferRate {
  readonly copiesPerSecond: number;
  readonly bytesPerSecond: number;
}

/** A modest disk over a modest network: said to be assumed wherever it is used. */
export const ASSUMED_RATE: TransferRate = { copiesPerSecond: 20, bytesPerSecond: 50e6 };

/** ms until so much has come in: small copies cost by their number, large ones by their bytes. */
export function transferMs(copies: number, bytes: number, { copiesPerSecond, bytesPerSecond }: TransferRate): number {
  const seconds = Math.max(copies / Math.max(copiesPerSecond, 1e-3), bytes / Math.max(bytesPerSecond, 1));
  return Math.round(seconds * 1_000);
}
