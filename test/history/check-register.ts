import { type ReadOperation, type Violation, type WriteOperation } from './operation.ts';

type Set = WriteOperation & { readonly kind: 'set' };

/** All that is known of one value: when the first operation that has to do with it ended, and when the last one began. */
interface Zone {
  readonly value: number | null;
  readonly firstEndMs: number;
  readonly lastStartMs: number;
}

/**
 * Whether writes and reads of one register, in which no value is written twice, could have happened one after the other, each between its start
 * and its end. Gibbons and Korach (Testing Shared Memories, 1997) show that it is so exactly when no two forward zones overlap and no backward zone
 * lies within a forward one: a value is in the register at least from the end of the first operation that has it to the start of the last (forward), or, if
 * these overlap, at some moment between that start and that end (backward).
 */
export function checkRegister(segment: string, writes: readonly Set[], reads: readonly ReadOperation[]): Violation[] {
  const violations: Violation[] = [];
  const say = (message: string): void => {
    violations.push({ segment, kind: 'register', message });
  };
  const byValue = new Map<number | null, { write: Set | undefined; reads: ReadOperation[] }>([
    [null, { write: undefined, reads: [] }],
  ]);
  for (const write of writes) byValue.set(write.value, { write, reads: [] });
  for (const read of reads) {
    if (read.seen === undefined) continue;
    const cluster = byValue.get(read.seen.register);
    if (cluster === undefined) say(`${String(read.seen.register)} was read ${told(read)} and nobody wrote it`);
    else cluster.reads.push(read);
  }
  const zones: Zone[] = [];
  for (const [value, { write, reads: seen }] of byValue) {
    const early = seen.find(({ endMs }) => write !== undefined && endMs < write.startMs);
    if (early !== undefined) say(`${String(value)} was read ${told(early)}, before it was written`);
    const ghost = write?.outcome === 'failed' ? seen[0] : undefined;
    if (ghost !== undefined) say(`${String(value)} was refused for certain, and read ${told(ghost)}`);
    // One that nobody answered and nobody saw need not have happened.
    if (seen.length > 0 || write?.outcome === 'ok') zones.push(zoneOf(value, write, seen));
  }
  return [...violations, ...overlaps(segment, zones)];
}

/** `write` undefined: it is the value from before all. */
function zoneOf(value: number | null, write: Set | undefined, reads: readonly ReadOperation[]): Zone {
  let firstEndMs = write === undefined ? -Infinity : write.outcome === 'ok' ? write.endMs : Infinity;
  let lastStartMs = write?.startMs ?? -Infinity;
  for (const { startMs, endMs } of reads) {
    firstEndMs = Math.min(firstEndMs, endMs);
    lastStartMs = Math.max(lastStartMs, startMs);
  }
  return { value, firstEndMs, lastStartMs };
}

function overlaps(segment: string, zones: readonly Zone[]): Violation[] {
  const violations: Violation[] = [];
  const forward = zones.filter(isForward).sort((one, other) => one.firstEndMs - other.firstEndMs);
  let widest: Zone | undefined;
  for (const zone of forward) {
    if (widest !== undefined && zone.firstEndMs < widest.lastStartMs)
      violations.push({ segment, kind: 'register', message: `${tell(widest)} and ${tell(zone)} at the same time` });
    if (widest === undefined || zone.lastStartMs > widest.lastStartMs) widest = zone;
  }
  for (const zone of zones) {
    if (isForward(zone)) continue;
    const around = forward.find(
      ({ firstEndMs, lastStartMs }) => firstEndMs < zone.lastStartMs && zone.firstEndMs < lastStartMs,
    );
    if (around === undefined) continue;
    const when = `between ${zone.lastStartMs.toFixed(1)} and ${zone.firstEndMs.toFixed(1)} ms`;
    const message = `it was ${String(zone.value)} ${when}, but ${tell(around)}`;
    violations.push({ segment, kind: 'register', message });
  }
  return violations;
}

function isForward({ firstEndMs, lastStartMs }: Zone): boolean {
  return firstEndMs < lastStartMs;
}

function tell({ value, firstEndMs, lastStartMs }: Zone): string {
  return `it was ${String(value)} from ${firstEndMs.toFixed(1)} to ${lastStartMs.toFixed(1)} ms`;
}

function told({ client, node, startMs, endMs }: ReadOperation): string {
  return `by client ${String(client)} at ${node}, ${startMs.toFixed(1)} to ${endMs.toFixed(1)} ms`;
}
