import { type FaultRecord, type Operation, type Violation } from './operation.ts';

export interface HistoryReport {
  readonly operations: number;
  readonly violations: readonly Violation[];
  readonly faults: readonly FaultRecord[];
  readonly lines: readonly string[];
}

const MOST_VIOLATIONS = 20;

/** For a person: what was done, what came of it, how long anybody waited, and what is wrong. */
export function reportOf(
  operations: readonly Operation[],
  faults: readonly FaultRecord[],
  violations: readonly Violation[],
): HistoryReport {
  const lines = [
    ...outcomes(operations),
    ...reasons(operations),
    ...waitLines(operations, faults),
    ...violations
      .slice(0, MOST_VIOLATIONS)
      .map(({ kind, segment, message }) => `WRONG ${segment}: ${kind}: ${message}`),
    violations.length === 0
      ? 'nothing lost, nothing doubled, in order, no stale strong read, registers linearizable'
      : `${String(violations.length)} violations`,
  ];
  return { operations: operations.length, violations, faults, lines };
}

function outcomes(operations: readonly Operation[]): string[] {
  const byKind = Map.groupBy(operations, ({ kind }) => kind);
  return [...byKind].map(([kind, own]) => {
    const counts = Map.groupBy(own, ({ outcome }) => outcome);
    const told = (['ok', 'failed', 'unknown'] as const).map(
      (outcome) => `${String(counts.get(outcome)?.length ?? 0)} ${outcome}`,
    );
    return `${kind.padEnd(8)}${told.join(', ')}`;
  });
}

function reasons(operations: readonly Operation[]): string[] {
  const byWhy = Map.groupBy(
    operations.filter(({ why }) => why !== undefined),
    ({ why = '' }) => why,
  );
  const told = [...byWhy]
    .sort(([, one], [, other]) => other.length - one.length)
    .map(([why, own]) => `${why} ${String(own.length)}`);
  return told.length === 0 ? [] : [`why not: ${told.join(', ')}`];
}

interface Wait {
  readonly ms: number;
  /** Kinds of faults that lasted at that time. */
  readonly faults: ReadonlySet<string>;
}

/**
 * For each kind of fault: how often, and the longest time that any one segment had no write acknowledged while one of them lasted; and the same while no
 * other kind lasted.
 */
function waitLines(operations: readonly Operation[], faults: readonly FaultRecord[]): string[] {
  const waits = waitsOf(operations, faults);
  return [...Map.groupBy(faults, ({ fault }) => fault)].sort().map(([fault, own]) => {
    const during = waits.filter((wait) => wait.faults.has(fault));
    const alone = during.filter((wait) => wait.faults.size === 1);
    const times = `${fault.padEnd(16)}${String(own.length).padStart(3)} times`;
    return `${times}, longest without an acknowledgement ${longest(during)}, by itself ${longest(alone)}${notDone(own)}`;
  });
}

function longest(waits: readonly Wait[]): string {
  const ms = waits.reduce((most, wait) => Math.max(most, wait.ms), 0);
  return `${(ms / 1_000).toFixed(1)} s`;
}

function notDone(faults: readonly FaultRecord[]): string {
  const byWhy = Map.groupBy(
    faults.filter(({ failed }) => failed !== undefined),
    ({ failed = '' }) => failed,
  );
  const told = [...byWhy].map(([why, all]) => `${String(all.length)} × ${why}`).join(', ');
  return told === '' ? '' : `; not done: ${told}`;
}

/** Between two acknowledged writes of one segment, all of them. */
function waitsOf(operations: readonly Operation[], faults: readonly FaultRecord[]): Wait[] {
  const acknowledged = operations.filter(({ kind, outcome }) => kind !== 'read' && outcome === 'ok');
  return [...Map.groupBy(acknowledged, ({ segment }) => segment).values()].flatMap((own) => {
    const ends = own.map(({ endMs }) => endMs).sort((one, other) => one - other);
    return ends.slice(1).map((toMs, index) => {
      const fromMs = ends[index] ?? toMs;
      const during = faults.filter(({ beginMs, endMs }) => fromMs < endMs && beginMs < toMs);
      return { ms: toMs - fromMs, faults: new Set(during.map(({ fault }) => fault)) };
    });
  });
}
