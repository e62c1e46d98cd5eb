import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { type EngineAnswer, type EngineQuery } from '../../../src/engine/engine.ts';
import { ProcessEngine, type ProcessEngineOptions } from '../../../src/engine/pool.ts';
import { tempDir } from '../../support/temp-dir.ts';

/** Counts for ever. */
export const ENDLESS = 'with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c';

/** Numbers from 1 on, as text of some width. */
export function numbers(rows: number, width = 0): string {
  return `with recursive c(x) as (select 1 union all select x + 1 from c where x < ${String(rows)})
    select x, printf('%0${String(width)}d', x) as t from c`;
}

type Question = Partial<EngineQuery> & { readonly sql: string };

/** An engine of its own over a directory of its own. */
export async function testEngine(options: Partial<ProcessEngineOptions> = {}) {
  const dir = await tempDir();
  const engine = new ProcessEngine({ nodePath: process.execPath, queryChildren: 2, graceMs: 100, ...options });
  const fileOf = (segment: string): string => join(dir.path, `${segment}.sqlite`);
  const query = (question: Question, signal?: AbortSignal): Promise<EngineAnswer> =>
    engine.query(
      {
        segment: 's',
        file: fileOf(question.segment ?? 's'),
        version: '1',
        live: false,
        format: 'legacy',
        bigints: 'digits',
        deadlineMs: 10_000,
        ...question,
      },
      signal,
    );
  return {
    engine,
    path: dir.path,
    fileOf,
    /** A segment made from a script, beside the engine. */
    make(segment: string, sql: string): string {
      const db = new Database(fileOf(segment));
      db.exec(sql);
      db.close();
      return fileOf(segment);
    },
    query,
    /** The whole body as text. */
    text: async (question: Question): Promise<string> => bodyOf(await query(question)),
    async [Symbol.asyncDispose](): Promise<void> {
      await engine[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

export async function bodyOf({ body }: EngineAnswer): Promise<string> {
  if (body instanceof Uint8Array) return Buffer.from(body).toString('utf8');
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

/** Processor time that a process has used, in hundredths of a second; 0 when there is no such process. */
export function processorTicks(pid: number): number {
  try {
    return Number(
      readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
        .split(') ')[1]
        ?.split(' ')[11],
    );
  } catch {
    return 0;
  }
}

export function streamOf({ body }: EngineAnswer): AsyncIterable<Uint8Array> {
  if (body instanceof Uint8Array) throw new Error('the answer was whole');
  return body;
}

/** What a process has open, as /proc shows it: the path, with ` (deleted)` behind it for what has none any more. */
export function openFilesOf(pid: number): string[] {
  const directory = `/proc/${String(pid)}/fd`;
  return readdirSync(directory).map((fd) => {
    try {
      return readlinkSync(join(directory, fd));
    } catch {
      // Closed by now.
      return '';
    }
  });
}
