import { TroughError } from '../errors.ts';

/** Older servers skip write expectations and message lifetimes without a word, so their acknowledgements prove nothing. */
export const OLDEST_NATS_SERVER = '2.12.0';

const VERSION = /\bv?(\d+)\.(\d+)\.(\d+)/;

/** The version in what `nats-server --version` prints, such as `2.15.2`; undefined when there is none. */
export function parseNatsServerVersion(printed: string): string | undefined {
  return VERSION.exec(printed)?.slice(1, 4).join('.');
}

/** Error: NATS_SERVER_TOO_OLD. `where` names the server for a person. */
export function demandNatsServerVersion(version: string, where: string): void {
  if (compare(version, OLDEST_NATS_SERVER) >= 0) return;
  throw new TroughError(
    'NATS_SERVER_TOO_OLD',
    `${where} is nats-server ${version}: ${OLDEST_NATS_SERVER.slice(0, -2)} or newer is needed, as older ones skip write expectations without a word`,
    { version },
  );
}

function compare(left: string, right: string): number {
  const [a, b] = [left, right].map((text) => text.split('.').map(Number));
  const differences = (a ?? []).map((part, index) => part - (b?.[index] ?? 0));
  return differences.find((difference) => difference !== 0) ?? 0;
}
