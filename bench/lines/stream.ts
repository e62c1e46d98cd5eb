import Database from 'better-sqlite3';
import { connect } from 'node:net';
import { AnswerReader } from '../support/answer-reader.ts';
import { copyOf, ROWS, segmentAt } from '../support/dataset.ts';
import { post } from '../support/http-load.ts';
import { type Line, readUrl, type Record, type Stage } from '../support/stage.ts';
import { usageOf } from '../support/usage.ts';

const SAMPLE_EVERY_MS = 250;
/** Of the samples; memory has to be flat after them. */
const WARM_UP_SHARE = 0.25;

/** One long answer of small rows: the row rate beside a loop in this process that makes the same bytes, and how far memory goes up and down. */
export const streamLine: Line = { name: 'stream', run: stream };

function rowsSql(rows: number): string {
  const blocks = `select 1 from t a, t b limit ${String(Math.ceil(rows / ROWS))}`;
  return `select t.id, t.status, t.bytes from (${blocks}) cross join t limit ${String(rows)}`;
}

async function stream(stage: Stage, record: Record): Promise<void> {
  const { streamRows } = stage.plan;
  if (streamRows > ROWS ** 3) throw new Error(`BENCH_STREAM_ROWS is at most ${String(ROWS ** 3)}`);
  const sql = rowsSql(streamRows);
  record('rows/s', 'L0', inProcessRows(copyOf(stage.set, 0), sql));
  const memory = new MemoryWatch(stage.node.pid);
  await memory.start();
  const startedAt = performance.now();
  const tail = await lastBytes(stage, sql);
  const seconds = (performance.now() - startedAt) / 1_000;
  const samples = await memory.stop();
  if (!tail.includes(`"rows":${String(streamRows)}`)) throw new Error(`the stream ended with ${tail}`);
  record('rows/s', 'trough', streamRows / seconds);
  const after = samples.slice(Math.floor(samples.length * WARM_UP_SHARE));
  record('highest RSS of all processes, MiB', 'trough', Math.max(...after));
  record('RSS last to first after warm-up, MiB', 'trough', (after.at(-1) ?? NaN) - (after[0] ?? NaN));
}

/** The same lines, put together row by row. */
function inProcessRows(file: string, sql: string): number {
  const database = new Database(file, { readonly: true });
  const startedAt = performance.now();
  let rows = 0;
  let bytes = 0;
  for (const row of database.prepare(sql).iterate()) {
    bytes += Buffer.byteLength(`${JSON.stringify(row)}\n`);
    rows += 1;
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  database.close();
  if (bytes === 0) throw new Error('no rows');
  return rows / seconds;
}

/** Reads the answer to its end and keeps nothing of it but the end. */
function lastBytes(stage: Stage, sql: string): Promise<string> {
  const { hostname, port } = new URL(readUrl(stage));
  const body = JSON.stringify({ sql, format: 'ndjson', deadlineMs: 3_600_000 });
  const reader = new AnswerReader();
  const socket = connect(Number(port), hostname);
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('close', () => {
      reject(new Error(`the stream broke off after ${String(reader.bodyBytes)} bytes`));
    });
    socket.on('data', (part: Buffer) => {
      if (!reader.take(part)) return;
      socket.destroy();
      if (reader.ok) resolve(reader.tail.toString());
      else reject(new Error(reader.beginning));
    });
    socket.write(post(`/v1/segments/${segmentAt(0)}/query`, body, 'application/json'));
  });
}

/** The memory of a process and all that it started, now and then. */
class MemoryWatch {
  readonly #pid: number;
  readonly #samples: number[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(pid: number) {
    this.#pid = pid;
  }

  async start(): Promise<void> {
    await this.#sample();
    this.#timer = setInterval(() => void this.#sample(), SAMPLE_EVERY_MS);
  }

  async stop(): Promise<readonly number[]> {
    clearInterval(this.#timer);
    await this.#sample();
    return this.#samples;
  }

  async #sample(): Promise<void> {
    this.#samples.push((await usageOf(this.#pid)).rssMiB);
  }
}
