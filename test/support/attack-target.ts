import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import Database from 'better-sqlite3';
import { connect } from 'nats';
import { promote, provision, readFrom, writeTo } from './api.ts';
import { type Attack } from './attack-list.ts';
import { eventually } from './eventually.ts';
import { type CallAnswer, httpCall } from './http-call.ts';
import { descendants } from './process-tree.ts';
import { tempDir } from './temp-dir.ts';
import { trough, type TroughRun } from './trough-process.ts';

/** One that is being written, which is read in WAL mode, and one that is a copy. */
const SEGMENTS = ['live', 'copy'] as const;
type Segment = (typeof SEGMENTS)[number];

/** Of the codes that are not a plain 400. */
const STATUS: Readonly<Record<string, number>> = { ENGINE_DEADLINE: 504, ENGINE_MEMORY: 413, SQL_TOO_LARGE: 413 };

const NATS_TIMEOUT_MS = 60_000;

const SCHEMA = `create table t (a); insert into t values (1); create table au (id integer primary key autoincrement);
  insert into au values (null);
  create table big as with recursive c(a) as (select 1 union all select a + 1 from c where a < 3000) select a from c;
  create virtual table ft using fts5(a); insert into ft values ('word');
  create virtual table ft4 using fts4(a); insert into ft4 values ('one');
  create virtual table rt using rtree(id, low, high); insert into rt values (1, 2, 3); analyze;`;

const PLAIN = 'select (select a from t) as t, (select count(*) from t) as rows, (select max(id) from au) as au';
const PLAIN_ANSWER = [{ t: 1, rows: 1, au: 1 }];

/** A running trough with files beside it that an attacker would like to read. */
export interface AttackTarget extends AsyncDisposable {
  readonly run: TroughRun;
  /** A database and a text file beside the data directory. */
  readonly other: string;
  readonly secret: string;
  readonly coldDir: string;
  /** Tries it on both segments by every face that can say it; one sentence for each answer that is not the right one. */
  readonly wrongAnswers: (attack: Attack) => Promise<string[]>;
  /** What can still not be read as before: empty when nothing has happened. */
  readonly brokenSegments: () => Promise<string[]>;
  /** By path, a hash of every file in and beside the data directory that a query could reach and none may change. */
  readonly files: () => Promise<Record<string, string>>;
  /** The number of processes that belong to it. */
  readonly processes: () => Promise<number>;
}

interface Answered {
  readonly face: string;
  /** The status that it must have. */
  readonly status: number;
  readonly got: CallAnswer;
}

export async function attackTarget(...args: string[]): Promise<AttackTarget> {
  const dir = await tempDir();
  const temporary = join(dir.path, 'temporary');
  await mkdir(temporary);
  const secret = join(dir.path, 'secret.txt');
  await writeFile(secret, 'the secret\n');
  const other = join(dir.path, 'other.sqlite');
  makeOther(other);
  const data = join(dir.path, 'data');
  const env = { TMPDIR: temporary, SQLITE_TMPDIR: temporary };
  const run = await trough({ data, args, env });
  const nats = await connect({ servers: run.ready.urls.nats });
  for (const segment of SEGMENTS) {
    const { writeUrl } = await provision(run, segment);
    await writeTo(writeUrl, SCHEMA);
    // In a transaction of its own: now there is something for optimize() to merge.
    await writeTo(writeUrl, "insert into ft4 values ('two')");
  }
  await promote(run, 'copy');
  const released = await httpCall(run.ready.urls.syncMaster, 'v1/segments/copy/release', { method: 'POST' });
  if (released.status !== 200) throw new Error(released.text);
  await eventually(
    'the released segment has its copy',
    async () => {
      const names = Object.keys(await hashes(dir.path));
      return (
        names.some((name) => /^data\/segments\/.*\/copy\.sqlite$/.test(name)) &&
        !names.some((name) => name.startsWith('data/tmp/'))
      );
    },
    60_000,
  );

  const overNats = async (segment: Segment, { sql, params }: Attack): Promise<CallAnswer> => {
    const body = params === undefined ? sql : JSON.stringify({ sql, params });
    const answer = await nats.request(`trough.query.${segment}`, body, { timeout: NATS_TIMEOUT_MS });
    const header = (name: string): string | undefined => answer.headers?.get(name) || undefined;
    return { status: Number(header('Trough-Status')), code: header('Trough-Error'), type: '', text: answer.string() };
  };
  const read = run.ready.urls.read;
  const askAll = (segment: Segment, attack: Attack): Promise<Answered[]> => {
    const status = STATUS[attack.code] ?? 400;
    const { sql, params } = attack;
    const json = params === undefined ? { sql } : { sql, params };
    const calls: [string, number, Promise<CallAnswer>][] = [
      ['/v1', status, httpCall(read, `v1/segments/${segment}/query`, { json })],
      ['NATS', status, overNats(segment, attack)],
    ];
    if (params === undefined) calls.push(['legacy', 500, httpCall(read, `?segment=${segment}`, { body: sql })]);
    return Promise.all(
      calls.map(async ([face, wanted, call]) => ({ face: `${face} on '${segment}'`, status: wanted, got: await call })),
    );
  };
  return {
    run,
    other,
    secret,
    coldDir: join(data, 'cold'),
    wrongAnswers: async (attack) => {
      const answers = await Promise.all(SEGMENTS.map((segment) => askAll(segment, attack)));
      return answers
        .flat()
        .filter(({ status, got }) => {
          return got.status !== status || got.code !== attack.code || !got.text.includes(attack.words);
        })
        .map(({ face, got }) => `${face}: ${String(got.status)} ${got.code ?? 'no error'} ${got.text.slice(0, 300)}`);
    },
    brokenSegments: async () => {
      const broken: string[] = [];
      for (const segment of SEGMENTS) {
        const rows = await readFrom(run, segment, PLAIN);
        if (JSON.stringify(rows) !== JSON.stringify(PLAIN_ANSWER)) broken.push(`${segment}: ${JSON.stringify(rows)}`);
      }
      return broken;
    },
    files: () => hashes(dir.path),
    processes: async () => (await descendants(run.pid)).length,
    [Symbol.asyncDispose]: async () => {
      await nats.close();
      await run[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

function makeOther(file: string): void {
  const db = new Database(file);
  db.exec("create table t (a); insert into t values ('the secret')");
  db.close();
}

/** What changes by itself: what nats-server stores, what the node notes down about itself, what it keeps of cold storage for a while, and the locks of readers in a WAL index. */
const CHANGES = /^data\/(nats|cache|catalogue\.sqlite|inventory\.sqlite)|-shm$/;

async function hashes(root: string): Promise<Record<string, string>> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const found: [string, string][] = [];
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    const name = relative(root, path);
    if (!entry.isFile() || CHANGES.test(name)) continue;
    // A fetch may finish between the listing and the look.
    const content = await readFile(path).catch(() => undefined);
    if (content !== undefined) found.push([name, createHash('sha256').update(content).digest('hex')]);
  }
  return Object.fromEntries(found.sort(([a], [b]) => a.localeCompare(b)));
}
