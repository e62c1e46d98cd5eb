import { once } from 'node:events';
import { connect } from 'node:net';
import { freePort } from '../../test/support/free-port.ts';
import { troughStarting } from '../../test/support/trough-process.ts';
import { AnswerReader } from '../support/answer-reader.ts';
import { type Dataset, pointRead, segmentAt } from '../support/dataset.ts';
import { post } from '../support/http-load.ts';
import { type Plan } from '../support/plan.ts';
import { type System } from '../support/samples.ts';
import { sideProcess } from '../support/side-process.ts';
import { type Record } from '../support/stage.ts';
import { type Usage, usageOf } from '../support/usage.ts';

export const IDLE = 'idle';
const ASK_EVERY_MS = 2;
const LONGEST_START_MS = 60_000;

/** From the start of the processes to the first right answer, and what they use when nobody asks for anything. One round. */
export async function idle(plan: Plan, set: Dataset, record: Record): Promise<void> {
  await idlePlainServer(plan, set, record);
  const port = await freePort();
  const startedAt = performance.now();
  await using node = troughStarting({
    data: set.data,
    args: ['--log-level', 'warn', '--read-port', String(port), ...plan.troughArgs],
  });
  const [answeredMs] = await Promise.all([firstAnswer(port, startedAt), node.ready]);
  record('first answer, ms', 'trough', answeredMs);
  await recordIdle(plan, (leaveOut) => usageOf(node.pid, leaveOut), 'trough', record);
}

async function idlePlainServer(plan: Plan, set: Dataset, record: Record): Promise<void> {
  const startedAt = performance.now();
  await using plain = await sideProcess('plain-server', set.data);
  record('first answer, ms', 'L1', await firstAnswer(Number(new URL(plain.url).port), startedAt));
  await recordIdle(plan, () => usageOf(plain.pid), 'L1', record);
}

async function recordIdle(
  { idleSeconds, settleSeconds }: Plan,
  usage: (leaveOut?: readonly string[]) => Promise<Usage>,
  system: System,
  record: Record,
): Promise<void> {
  await rest(settleSeconds);
  const before = await usage();
  await rest(idleSeconds);
  const after = await usage();
  record('processes', system, after.processes);
  record('RSS of all processes, MiB', system, after.rssMiB);
  record('PSS of all processes, MiB', system, after.pssMiB);
  record('RSS without nats-server, MiB', system, (await usage(['nats-server'])).rssMiB);
  record('open fds', system, after.fds);
  record('CPU, %', system, (100 * (after.cpuSeconds - before.cpuSeconds)) / idleSeconds);
}

async function firstAnswer(port: number, startedAt: number): Promise<number> {
  const request = post(`/?segment=${segmentAt(0)}`, pointRead());
  while (performance.now() - startedAt < LONGEST_START_MS) {
    if (await isAnswered(port, request)) return performance.now() - startedAt;
    await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
  }
  throw new Error(`no answer within ${String(LONGEST_START_MS)} ms after the start`);
}

async function isAnswered(port: number, request: Buffer): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const reader = new AnswerReader();
  try {
    await once(socket, 'connect');
    socket.write(request);
    for await (const part of socket) if (reader.take(part as Buffer)) break;
    return reader.ok;
  } catch {
    // Nobody listens yet.
    return false;
  } finally {
    socket.destroy();
  }
}

function rest(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
}
