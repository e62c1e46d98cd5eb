import { setTimeout as pause } from 'node:timers/promises';
import { type Random } from '../simulation/random.ts';
import { type Door, post, type Told } from './door.ts';
import { type Operation, type Outcome, type Seen } from './operation.ts';

export interface ClientOptions {
  readonly client: number;
  readonly segment: string;
  readonly random: Random;
  /** The nodes that are meant to run now, whatever their state is. */
  readonly doors: () => readonly Door[];
  /** A value that nobody has written to the segment. */
  readonly nextValue: () => number;
  readonly record: (operation: Operation) => void;
}

interface WriteAnswer {
  readonly sequence: number;
}
interface QueryAnswer {
  readonly rows: readonly (readonly [number, string, number | null])[];
}

/** What a read sees of a segment: `last` values of the list. */
const SEEN_SQL =
  'select (select count(*) from list), ' +
  '(select json_group_array(value) from (select value from list order by at desc limit ?)), ' +
  '(select value from register)';
export const TABLES =
  'create table list (at integer primary key, value); create table register (value); insert into register values (null)';

const TAIL = 8;
/** Request ids are kept for two minutes: whoever asks again later may be applied twice. */
const REPEAT_FOR_MS = 80_000;
const APPENDS = 0.45;
const SETS = 0.2;
/** Of the writes: sent once, so that an answer that says "not kept" is taken at its word. */
const SINGLE = 0.2;
/** Of the acknowledged ones: sent once more. */
const AGAIN = 0.05;

/** One client of one segment: one operation after another, each at any node, until it is stopped. */
export class HistoryClient {
  readonly #options: ClientOptions;
  readonly #done: Promise<void>;
  #stopped = false;
  #requests = 0;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#done = this.#run();
    this.#done.catch(() => undefined);
  }

  /** Resolves when its last operation has ended, which it repeats for as long as that makes sense. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  async #run(): Promise<void> {
    const { random } = this.#options;
    while (!this.#stopped) {
      const dice = random.next();
      if (dice < APPENDS) await this.#write('append');
      else if (dice < APPENDS + SETS) await this.#write('set');
      else await this.#read();
      await pause(random.between(10, 80));
    }
  }

  async #write(kind: 'append' | 'set'): Promise<void> {
    const { client, segment, random, record, nextValue } = this.#options;
    const value = nextValue();
    this.#requests += 1;
    const requestId = `${segment}-${String(client)}-${String(this.#requests)}`;
    const isSingle = random.chance(SINGLE);
    const startMs = performance.now();
    const common = { client, segment, kind, value, startMs };
    let isSure = true;
    for (let tries = 1; ; tries += 1) {
      const { node, told } = await this.#send(kind, value, requestId);
      const endMs = performance.now();
      if (told?.kind === 'ok') {
        const { sequence } = told.answer;
        const again = random.chance(AGAIN) ? await this.#send(kind, value, requestId) : undefined;
        const second = again?.told?.kind === 'ok' ? { again: again.told.answer.sequence } : {};
        record({ ...common, node, endMs, outcome: 'ok', tries, sequence, ...second });
        return;
      }
      if (told?.kind === 'unknown') isSure = false;
      if (isSingle || endMs - startMs > REPEAT_FOR_MS) {
        const outcome: Outcome = isSure ? 'failed' : 'unknown';
        record({ ...common, node, endMs, outcome, tries, why: told?.why ?? 'no node' });
        return;
      }
      await pause(random.between(50, 250));
    }
  }

  async #send(
    kind: 'append' | 'set',
    value: number,
    requestId: string,
  ): Promise<{ node: string; told: Told<WriteAnswer> | undefined }> {
    const { segment } = this.#options;
    const sql = kind === 'append' ? 'insert into list (value) values (?)' : 'update register set value = ?';
    const body = { statements: [{ sql, params: [value] }] };
    const headers = { 'trough-request-id': requestId };
    const door = this.#door();
    if (door === undefined) return { node: '', told: undefined };
    const path = `v1/segments/${segment}/write`;
    const told = await post<WriteAnswer>(door.write, path, { body, headers, patienceMs: this.#patienceMs() });
    return { node: door.node, told };
  }

  async #read(): Promise<void> {
    const { client, segment, record } = this.#options;
    const door = this.#door();
    if (door === undefined) return;
    const common = { kind: 'read', client, segment, node: door.node, startMs: performance.now(), tries: 1 } as const;
    const told = await readSeen(door, segment, TAIL, this.#patienceMs());
    const endMs = performance.now();
    if (told.kind === 'ok') record({ ...common, endMs, outcome: 'ok', seen: told.answer });
    else record({ ...common, endMs, outcome: 'failed', why: told.why });
  }

  #door(): Door | undefined {
    return this.#options.random.pick(this.#options.doors());
  }

  /**
   * Short: what was sent to a paused node is abandoned. Long: its answer is waited for until the node goes on. The first client of a segment is always
   * impatient, so that a segment that can be written is written.
   */
  #patienceMs(): number {
    const { client, random } = this.#options;
    return Math.round(random.scale(1_000, client === 0 ? 2_000 : 45_000));
  }
}

/** By a strong read. */
export async function readSeen(door: Door, segment: string, tail: number, patienceMs: number): Promise<Told<Seen>> {
  const body = { sql: SEEN_SQL, params: [tail] };
  const told = await post<QueryAnswer>(door.read, `v1/segments/${segment}/query`, { body, patienceMs });
  if (told.kind !== 'ok') return told;
  const [row] = told.answer.rows;
  if (row === undefined) return { kind: 'unknown', why: 'an answer without its row' };
  const [count, values, register] = row;
  return { kind: 'ok', answer: { count, tail: (JSON.parse(values) as number[]).reverse(), register } };
}
