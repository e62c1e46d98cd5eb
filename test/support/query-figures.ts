import { type TroughRun } from './trough-process.ts';

/** A figure of `/metrics` without labels, or the sum of it over its labels. */
async function figure({ ready }: TroughRun, name: string): Promise<number> {
  const answer = await fetch(new URL('metrics', ready.urls.read));
  const lines = (await answer.text())
    .split('\n')
    .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

/** Requests on all ports that have no complete answer, this look among them. */
export function openRequests(run: TroughRun): Promise<number> {
  return figure(run, 'trough_http_in_flight');
}

/** Queries that have not ended, whether or not a process has them. */
export async function openQueries(run: TroughRun): Promise<number> {
  return (await figure(run, 'trough_queries_running')) + (await figure(run, 'trough_queries_waiting'));
}
