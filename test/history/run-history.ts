import { createWriteStream, type WriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Random } from '../simulation/random.ts';
import { eventually } from '../support/eventually.ts';
import { check, checkWork } from './check.ts';
import { HistoryClient, readSeen, TABLES } from './client.ts';
import { HistoryCluster } from './cluster.ts';
import { type Door, post } from './door.ts';
import { Faults } from './faults.ts';
import { type FaultRecord, type FinalRead, type Operation } from './operation.ts';
import { type HistoryReport, reportOf } from './report.ts';

export interface HistoryOptions {
  readonly minutes: number;
  readonly servers: 1 | 3;
  /** Decides what is done and when; not what the processes make of it. */
  readonly seed: number;
  readonly nodes?: number;
  readonly segments?: number;
  readonly clientsPerSegment?: number;
  readonly say: (line: string) => void;
}

/** As many faults at a time. */
const FAULT_LANES = 2;
const BACK_MS = 120_000;
const ALL = -1;

/**
 * Real nodes and nats-servers, clients that write and read, and faults; then the proof that every answer was true. The history and the logs are
 * kept when it was not, and where they are is said.
 */
export async function runHistory(options: HistoryOptions): Promise<HistoryReport> {
  const directory = await mkdtemp(join(tmpdir(), 'trough-history-'));
  const history = new History(join(directory, 'history.ndjson'));
  let report: HistoryReport;
  try {
    report = await record(options, directory, history);
  } catch (error) {
    options.say(`the logs are in ${directory}`);
    throw error;
  } finally {
    await history.end();
  }
  for (const line of report.lines) options.say(line);
  if (report.violations.length === 0) await rm(directory, { recursive: true, force: true });
  else options.say(`the history and the logs are in ${directory}`);
  return report;
}

async function record(options: HistoryOptions, directory: string, history: History): Promise<HistoryReport> {
  const { servers, nodes = 3, minutes, seed } = options;
  const random = new Random(seed);
  await using cluster = await HistoryCluster.start({ servers, nodes, directory });
  const segments = Array.from({ length: options.segments ?? 20 }, (_, index) => `s${String(index)}`);
  await Promise.all(segments.map((segment) => prepare(cluster.doors, segment)));
  const clients = segments.flatMap((segment) =>
    startClients(segment, options.clientsPerSegment ?? 2, { random, doors: cluster.doors, history }),
  );
  const ending = AbortSignal.timeout(minutes * 60_000);
  const faults = new Faults({ cluster, random: random.fork(), segments, record: history.fault });
  await Promise.all(Array.from({ length: FAULT_LANES }, () => faults.keepGoing(ending)));
  await pause(1_000);
  await Promise.all(clients.map((client) => client.stop()));
  const finals = await readAll(cluster.doors(), segments, history);
  const { operations } = history;
  const violations = [...check(operations, finals), ...checkWork(operations, segments)];
  return reportOf(operations, history.faults, violations);
}

async function prepare(doors: () => readonly Door[], segment: string): Promise<void> {
  const [door] = doors();
  if (door === undefined) throw new Error('no node runs');
  const patienceMs = BACK_MS;
  const demand = async (base: string, path: string, body: object): Promise<true | undefined> =>
    (await post(base, `v1/segments/${segment}/${path}`, { body, patienceMs })).kind === 'ok' ? true : undefined;
  await eventually(`${segment} provisioned`, () => demand(door.manager, 'provision', {}), BACK_MS);
  const body = { script: TABLES, requestId: `${segment}-tables` };
  await eventually(`the tables of ${segment}`, () => demand(door.write, 'write', body), BACK_MS);
}

function startClients(
  segment: string,
  count: number,
  deps: { readonly random: Random; readonly doors: () => readonly Door[]; readonly history: History },
): HistoryClient[] {
  let value = 0;
  const nextValue = (): number => (value += 1);
  return Array.from(
    { length: count },
    (_, client) =>
      new HistoryClient({
        ...{ client, segment, nextValue, doors: deps.doors },
        random: deps.random.fork(),
        record: deps.history.operation,
      }),
  );
}

/** By every node, as a whole. A segment that none of them can read in time is left out. */
async function readAll(
  doors: readonly Door[],
  segments: readonly string[],
  history: History,
): Promise<readonly FinalRead[]> {
  const finals: FinalRead[] = [];
  for (const segment of segments) {
    for (const door of doors) {
      const read = await eventually(
        `${segment} readable at ${door.node}`,
        () => finalRead(door, segment),
        BACK_MS,
      ).catch(() => undefined);
      if (read === undefined) continue;
      finals.push(read);
      history.final(read);
    }
  }
  return finals;
}

async function finalRead(door: Door, segment: string): Promise<FinalRead | undefined> {
  const startMs = performance.now();
  const told = await readSeen(door, segment, ALL, BACK_MS);
  if (told.kind !== 'ok') return undefined;
  const { tail, register } = told.answer;
  return { segment, node: door.node, list: tail, register, startMs, endMs: performance.now() };
}

/** What happened, kept in memory for the check and, line by line, in a file. */
class History {
  readonly operations: Operation[] = [];
  readonly faults: FaultRecord[] = [];
  readonly #file: WriteStream;

  constructor(path: string) {
    this.#file = createWriteStream(path);
  }

  readonly operation = (operation: Operation): void => {
    this.operations.push(operation);
    this.#write({ operation });
  };

  readonly fault = (fault: FaultRecord): void => {
    this.faults.push(fault);
    this.#write({ fault });
  };

  final(final: FinalRead): void {
    this.#write({ final });
  }

  async end(): Promise<void> {
    await new Promise<void>((resolve) => this.#file.end(resolve));
  }

  #write(line: object): void {
    this.#file.write(`${JSON.stringify(line)}\n`);
  }
}
