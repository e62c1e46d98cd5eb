import { pointRead, segmentAt } from '../support/dataset.ts';
import { httpLoad, post } from '../support/http-load.ts';
import { type Line, readUrl, type Stage } from '../support/stage.ts';
import { usageOf } from '../support/usage.ts';
import { loadLine } from './loads.ts';

const CONNECTIONS = 64;
/** Each segment once before anything is measured, but no longer than this. */
const TOUCH_SECONDS = 60;

/** Point reads of all segments of the stage at random, and what that takes. */
export function manyLine(name: string): Line {
  const load = loadLine(name, ({ set }) => ({ connections: CONNECTIONS, sql: pointRead, segments: set.count }));
  return {
    name,
    run: async (stage, record) => {
      await touch(stage);
      await load.run(stage, record);
      const beside = { trough: stage.node.pid, L1: stage.plain.pid } as const;
      for (const [system, pid] of Object.entries(beside)) {
        const { rssMiB, pssMiB, fds, processes } = await usageOf(pid);
        record('RSS of all processes, MiB', system as keyof typeof beside, rssMiB);
        record('PSS of all processes, MiB', system as keyof typeof beside, pssMiB);
        record('open fds', system as keyof typeof beside, fds);
        record('processes', system as keyof typeof beside, processes);
      }
    },
  };
}

/** Reads the segments in turn, so that the files are in the page cache and what stays open is open. */
export async function touch(stage: Stage): Promise<void> {
  const { set, plan } = stage;
  let next = 0;
  // As long as the whole bench runs one timed load, at least.
  const seconds = Math.min(TOUCH_SECONDS, Math.max(plan.seconds, set.count / 2_000));
  const request = (): Buffer => post(`/?segment=${segmentAt(next++ % set.count)}`, pointRead());
  const { failed, firstFailure } = await httpLoad({
    url: readUrl(stage),
    connections: CONNECTIONS,
    seconds,
    warmUpSeconds: 0,
    request,
  });
  if (failed > 0) throw new Error(`${String(failed)} first reads failed: ${firstFailure ?? ''}`);
}
