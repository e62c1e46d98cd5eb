import { median, shown } from './samples.ts';

/** What was seen at the end of one stretch of the load. */
export interface Window {
  readonly minute: number;
  readonly perSecond: number;
  readonly failed: number;
  readonly rssMiB: number;
  readonly fds: number;
}

export interface Verdict {
  readonly ok: boolean;
  readonly sentence: string;
}

const LEAST_WINDOWS = 3;
/** What the garbage collector makes of the same load varies by some per cent; a leak goes on. */
const MEMORY_GROWTH = 0.1;
const FDS_GROWTH = 0.02;
const FDS_SLACK = 16;

/** Whether the last third of the windows looks like the first; a throw when there are too few to tell. */
export function growth(windows: readonly Window[]): readonly Verdict[] {
  if (windows.length < LEAST_WINDOWS) {
    throw new Error(
      `${String(windows.length)} windows after the warm-up are too few to see growth: ${String(LEAST_WINDOWS)} are needed`,
    );
  }
  const third = Math.floor(windows.length / 3);
  const first = windows.slice(0, third);
  const last = windows.slice(-third);
  const failed = windows.reduce((sum, window) => sum + window.failed, 0);
  return [
    { ok: failed === 0, sentence: `failed requests: ${String(failed)}` },
    compare(
      'RSS of all processes, MiB',
      first,
      last,
      ({ rssMiB }) => rssMiB,
      (before) => before * MEMORY_GROWTH,
    ),
    compare(
      'open fds',
      first,
      last,
      ({ fds }) => fds,
      (before) => FDS_SLACK + before * FDS_GROWTH,
    ),
  ];
}

function compare(
  what: string,
  first: readonly Window[],
  last: readonly Window[],
  figure: (window: Window) => number,
  slack: (before: number) => number,
): Verdict {
  const before = median(first.map(figure));
  const after = median(last.map(figure));
  const ok = after - before <= slack(before);
  return { ok, sentence: `${what}: ${shown(before)} at first, ${shown(after)} at last: ${ok ? 'flat' : 'NOT FLAT'}` };
}
