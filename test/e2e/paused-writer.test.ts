import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { check } from '../history/check.ts';
import { readSeen, TABLES } from '../history/client.ts';
import { type Door, post, type Told } from '../history/door.ts';
import { type FinalRead, type Operation } from '../history/operation.ts';
import { clusterStatus, provision, writeTo } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { threeNodes } from '../support/three-nodes.ts';
import { type TroughRun } from '../support/trough-process.ts';

const PAUSE_MS = 30_000;
const LONG_MS = 60_000;
const CLIENTS = 12;
const ALL = -1;

interface Answer {
  readonly sequence: number;
  readonly node: string;
}

/** A write to the end of the list, and what was said of it. */
interface Asked {
  readonly operation: Operation;
  readonly told: Told<Answer>;
}

function doorOf({ ready }: TroughRun): Door {
  const { read = '', write = '', syncMaster = '' } = ready.urls;
  return { node: ready.node, read, write, manager: syncMaster };
}

/** One segment, and everything that was asked of it: each request once. */
class Story {
  readonly segment: string;
  readonly asked: Asked[] = [];
  readonly reads: Operation[] = [];
  #value = 0;
  #isOver = false;

  constructor(segment: string) {
    this.segment = segment;
  }

  async append(door: Door, client = 0): Promise<Asked> {
    const value = (this.#value += 1);
    const body = { statements: [{ sql: 'insert into list (value) values (?)', params: [value] }] };
    const startMs = performance.now();
    const told = await post<Answer>(door.write, `v1/segments/${this.segment}/write`, { body, patienceMs: LONG_MS });
    const common = { client, segment: this.segment, node: door.node, tries: 1, startMs, endMs: performance.now() };
    const asked = { told, operation: { ...common, kind: 'append', value, outcome: told.kind } as const };
    this.asked.push(asked);
    return asked;
  }

  async read(door: Door): Promise<Told<unknown>> {
    const startMs = performance.now();
    const told = await readSeen(door, this.segment, 8, LONG_MS);
    const common = { client: 0, segment: this.segment, node: door.node, tries: 1, startMs, endMs: performance.now() };
    if (told.kind === 'ok') this.reads.push({ ...common, kind: 'read', outcome: 'ok', seen: told.answer });
    return told;
  }

  /** One request after the other at that node until it is all over. */
  async keepAppending(door: Door, client: number): Promise<void> {
    while (!this.#isOver) {
      await this.append(door, client);
      await pause(client);
    }
  }

  end(): void {
    this.#isOver = true;
  }

  async finalAt(door: Door): Promise<FinalRead> {
    const startMs = performance.now();
    const seen = await eventually(
      `${this.segment} readable at ${door.node}`,
      async () => {
        const told = await readSeen(door, this.segment, ALL, LONG_MS);
        return told.kind === 'ok' ? told.answer : undefined;
      },
      LONG_MS,
    );
    const { tail: list, register } = seen;
    return { segment: this.segment, node: door.node, list, register, startMs, endMs: performance.now() };
  }
}

/** A segment that is written by a node that does not lead: only the writer is to be missing. */
async function heldByAFollower(nodes: readonly TroughRun[]): Promise<{ segment: string; holder: TroughRun }> {
  const [first] = nodes;
  if (first === undefined) throw new Error('no node');
  const { leader } = await clusterStatus(first);
  for (let index = 0; index < 10; index += 1) {
    const segment = `paused-${String(index)}`;
    const { node, writeUrl } = await provision(first, segment);
    const holder = nodes.find(({ ready }) => ready.node === node);
    if (node === leader?.node || holder === undefined) continue;
    await writeTo(writeUrl, TABLES);
    return { segment, holder };
  }
  throw new Error('the leader has everything');
}

test('a writer paused for 30 s under load: another goes on, and the paused one acknowledges nothing after that, says busy or hands on, steps down and reads nothing stale', async () => {
  await using world = await threeNodes('--journal', 'nats');
  const { segment, holder } = await heldByAFollower(world.nodes);
  const story = new Story(segment);
  const paused = doorOf(holder);
  const others = world.nodes.filter((node) => node !== holder).map(doorOf);
  const [other] = others;
  if (other === undefined) throw new Error('no other node');
  const clients = Array.from({ length: CLIENTS }, (_, client) => story.keepAppending(paused, client));
  await eventually('writes', () => story.asked.filter(({ told }) => told.kind === 'ok').length > 200, LONG_MS);

  holder.kill('SIGSTOP');
  const pausedAt = performance.now();
  const early = [story.append(paused), story.read(paused)];
  const first = await eventually('another writes', () => acknowledged(story, other), LONG_MS);
  expect(first.node).not.toBe(paused.node);
  for (let count = 0; count < 20; count += 1) await story.append(other);
  for (const door of others) expect((await story.read(door)).kind).toBe('ok');
  const late = Array.from({ length: 8 }, () => [story.append(paused), story.read(paused)]).flat();
  await pause(Math.max(0, PAUSE_MS - (performance.now() - pausedAt)));
  story.end();
  const goesOnAt = performance.now();
  holder.kill('SIGCONT');
  await Promise.all([...clients, ...early, ...late]);

  const held = story.asked.filter(({ operation }) => operation.node === paused.node && operation.endMs > goesOnAt);
  expect(held.length).toBeGreaterThanOrEqual(CLIENTS);
  // What it had begun is busy, what it had only been sent is handed on: how much of either there is depends on the moment of the pause.
  for (const { told } of held) {
    if (told.kind !== 'ok') expect(told).toEqual({ kind: 'failed', why: 'NODE_UNAVAILABLE' });
    // By the one who writes it now; or it was in the journal before that one came.
    else if (told.answer.node === paused.node) expect(told.answer.sequence).toBeLessThan(first.sequence);
  }
  // Whether the journal told it first or the lease: it hands on what is asked of it.
  await eventually('it steps down', async () => (await acknowledged(story, paused))?.node === first.node, LONG_MS);
  const finals = await Promise.all([paused, ...others].map((door) => story.finalAt(door)));
  expect(check([...story.asked.map(({ operation }) => operation), ...story.reads], finals)).toEqual([]);
}, 180_000);

test('a writer paused for 3 s under load goes on where it was: what it held is acknowledged, once, and its lease is what it was', async () => {
  await using world = await threeNodes('--journal', 'nats');
  const { segment, holder } = await heldByAFollower(world.nodes);
  const story = new Story(segment);
  const paused = doorOf(holder);
  const clients = Array.from({ length: CLIENTS }, (_, client) => story.keepAppending(paused, client));
  await eventually('writes', () => story.asked.length > 100, LONG_MS);
  holder.kill('SIGSTOP');
  const held = [story.append(paused), story.append(paused)];
  await pause(3_000);
  holder.kill('SIGCONT');
  for (const { told } of await Promise.all(held))
    expect(told).toMatchObject({ kind: 'ok', answer: { node: paused.node } });
  story.end();
  await Promise.all(clients);
  expect(story.asked.filter(({ told }) => told.kind !== 'ok')).toEqual([]);
  const finals = await Promise.all(world.nodes.map((node) => story.finalAt(doorOf(node))));
  expect(
    check(
      story.asked.map(({ operation }) => operation),
      finals,
    ),
  ).toEqual([]);
}, 120_000);

async function acknowledged(story: Story, door: Door): Promise<Answer | undefined> {
  const { told } = await story.append(door);
  return told.kind === 'ok' ? told.answer : undefined;
}
