import { type RoleName } from '../../src/messages/documents.ts';
import { type Random } from './random.ts';
import { FAULT_KINDS, type FaultKind } from './fault-kinds.ts';

export interface NodePlan {
  readonly name: string;
  readonly zone: string;
  readonly roles: readonly RoleName[];
  readonly quotaBytes: number;
  /** When it is started for the first time, ms of the run. */
  readonly startsAt: number;
}

/** What one run is like: everything that is drawn before it begins. */
export interface RunPlan {
  readonly nodes: readonly NodePlan[];
  readonly copies: number;
  /** Whether writes are kept in a journal. */
  readonly isJournaled: boolean;
  readonly rebuildAfterMs: number;
  readonly coldScanIntervalMs: number;
  readonly promoteAfterMs: number;
  readonly releaseAfterMs: number;
  readonly scrubPeriodMs: number;
  readonly surveyIntervalMs: number;
  readonly lostFilesForMs: number;
  readonly hotForMs: number;
  /** How long faults happen. */
  readonly faultsMs: number;
  /** Every so many writes one is so long that a journal with some of them is worth a preparation when its segment is handed over. */
  readonly longWriteEvery: number;
  /** The mean time between two requests of clients, ms. */
  readonly requestEveryMs: number;
  /** For each kind that happens in this run, the mean time between two of them, ms. */
  readonly faultEveryMs: ReadonlyMap<FaultKind, number>;
}

export function drawPlan(random: Random): RunPlan {
  const size = random.integer(2, 6);
  const masters = random.integer(1, Math.min(3, size));
  const zones = random.integer(1, 3);
  const faultsMs = random.between(60_000, 240_000);
  const alike = random.chance(0.6);
  const nodes = Array.from({ length: size }, (_, index): NodePlan => {
    const roles: RoleName[] = ['reader', 'sync-local'];
    if (index < 2 || random.chance(0.7)) roles.push('writer');
    if (index < masters) roles.push('sync-master');
    return {
      name: `n${String(index + 1)}`,
      zone: `z${String(index % zones)}`,
      roles,
      quotaBytes: alike ? 1e9 : Math.floor(random.scale(5e8, 2e9)),
      startsAt: index < 2 || random.chance(0.7) ? random.between(0, 2_000) : random.between(20_000, faultsMs),
    };
  });
  return {
    nodes,
    copies: random.integer(1, 3),
    rebuildAfterMs: random.between(20_000, 60_000),
    coldScanIntervalMs: random.between(5_000, 20_000),
    promoteAfterMs: random.between(20_000, 200_000),
    releaseAfterMs: random.between(20_000, 200_000),
    faultsMs,
    requestEveryMs: random.scale(150, 1_500),
    faultEveryMs: drawFaults(random, faultsMs),
    scrubPeriodMs: random.between(30_000, 60_000),
    surveyIntervalMs: random.between(20_000, 40_000),
    lostFilesForMs: random.between(30_000, 120_000),
    isJournaled: random.chance(0.8),
    hotForMs: random.between(10_000, 40_000),
    longWriteEvery: random.chance(0.3) ? random.integer(1, 4) : Infinity,
  };
}

/** Most of the time nothing is going on that they could cut off. */
const AT_STEPS: ReadonlySet<FaultKind> = new Set(['crash at a step', 'pause at a step']);
/** One is as much work as all other requests of a run. */
const COSTLY: ReadonlySet<FaultKind> = new Set(['read storm']);

/** Some kinds in each run, few or many times: two rare ones together are found as well as a storm of one. */
function drawFaults(random: Random, faultsMs: number): Map<FaultKind, number> {
  const share = random.pick([0.1, 0.25, 0.5, 0.8]) ?? 0.5;
  const drawn = new Map<FaultKind, number>();
  for (const kind of FAULT_KINDS) {
    const often = AT_STEPS.has(kind) ? 3 : COSTLY.has(kind) ? 0.5 : 1;
    if (random.chance(share)) drawn.set(kind, random.scale(faultsMs / 12, faultsMs) / often);
  }
  return drawn;
}
