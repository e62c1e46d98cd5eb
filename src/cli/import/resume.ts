import { isDeepStrictEqual } from 'node:util';
import { UsageError } from '../usage-error.ts';
import { type ImportHeader, ImportState } from './import-state.ts';

export type Begin = 'new' | 'resume' | 'restart';

/** What an earlier run left, when it is to be continued. UsageError when what is asked and what is there do not agree. */
export async function findUnfinished(
  path: string | undefined,
  begin: Begin,
): Promise<Awaited<ReturnType<typeof ImportState.resume>>> {
  if (path === undefined) return undefined;
  const found = await ImportState.resume(path);
  if (begin === 'resume' && found === undefined) {
    throw new UsageError(
      `there is nothing to resume: ${path} is not there, so this import was finished, or never began`,
    );
  }
  if (begin === 'new' && found !== undefined) {
    throw new UsageError(
      `an unfinished import is recorded in ${path}: --resume continues it, --restart forgets it (rows that are in stay in)`,
    );
  }
  return begin === 'resume' ? found : undefined;
}

/** A resumed import passes over as many rows as are in: so the source and what decides about its rows must be the same. */
export function checkSame(before: ImportHeader, now: Omit<ImportHeader, 'columns'>): void {
  if (!isDeepStrictEqual(before.source, now.source)) {
    throw new UsageError(
      'the file is not the one of the unfinished import: it has changed since; --restart begins anew',
    );
  }
  const { plan } = now;
  const strip = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
  for (const [key, value] of Object.entries(before.plan)) {
    const other = plan[key as keyof typeof plan];
    if (!isDeepStrictEqual(strip(value), strip(other ?? null))) {
      throw new UsageError(
        `the unfinished import had another ${key}: ${JSON.stringify(value)}, now ${JSON.stringify(other ?? null)}; give the same options, or --restart`,
      );
    }
  }
  if (plan.schema !== undefined && before.plan.schema === undefined)
    throw new UsageError('the unfinished import had no --schema; leave it out, or --restart');
}
