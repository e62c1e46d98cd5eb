import { z } from 'zod';
import { TroughError } from '../../errors.ts';
import { type Read, type ReadAnswer } from '../../messages/reading.ts';
import { type SegmentId } from '../../model/segment-id.ts';
import { parseQuery } from '../../model/sql-rules.ts';

const DEADLINE_MS = 5_000;
const MOST_STEPS = 1_000;

const Steps = z.array(z.tuple([z.int(), z.int(), z.unknown(), z.string()]));

/**
 * How SQLite would run the query now, one step a line, each indented below the one that it is part of: of the text that the engine gives to
 * SQLite. Asked as any other read, with any copy and a deadline of 5 s; parameters count as NULL. Errors: those of a read.
 */
export async function queryPlan(
  read: Read,
  segment: SegmentId,
  sql: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { text, parameters } = parseQuery(sql);
  const answer = await read(
    {
      segment,
      sql: `EXPLAIN QUERY PLAN ${text}`,
      params: parameters.length === 0 ? undefined : parameters.map(() => null),
      format: 'rows',
      bigints: 'digits',
      consistency: 'any',
      deadlineMs: DEADLINE_MS,
      maxRows: MOST_STEPS,
      hops: 0,
    },
    signal,
  );
  const steps = Steps.safeParse(JSON.parse(`[${await textOf(answer)}]`));
  if (!steps.success)
    throw new TroughError('INTERNAL', 'the plan is not in the form that SQLite documents', { segment });
  const depths = new Map<number, number>();
  return steps.data.map(([id, parent, , detail]) => {
    const depth = depths.has(parent) ? (depths.get(parent) ?? 0) + 1 : 0;
    depths.set(id, depth);
    return '  '.repeat(depth) + detail;
  });
}

async function textOf({ body }: ReadAnswer): Promise<string> {
  if (body instanceof Uint8Array) return Buffer.from(body).toString('utf8');
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
