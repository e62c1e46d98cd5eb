/** What is measured and for how long, from the environment. */
export interface Plan {
  /** Of one timed load. */
  readonly seconds: number;
  readonly rounds: number;
  /** Names of lines, or their beginnings; empty means all. */
  readonly lines: readonly string[];
  /** Segments of the lines `many` and `huge`, and of the soak. */
  readonly many: number;
  readonly huge: number;
  /** Rows of the line `stream`. */
  readonly streamRows: number;
  /** Of the line `idle`. */
  readonly idleSeconds: number;
  /** Before that: what a start leaves to be done is not idling, and the process that looked at the copies ends when it has rested. */
  readonly settleSeconds: number;
  /** Where segments are made and kept for the next run; undefined: in a temporary directory that is removed. */
  readonly keepIn: string | undefined;
  /** Further flags of the node. */
  readonly troughArgs: readonly string[];
}

export function planFrom(env: NodeJS.ProcessEnv): Plan {
  return {
    seconds: positive(env, 'BENCH_SECONDS', 4),
    rounds: positive(env, 'BENCH_ROUNDS', 3),
    lines: words(env['BENCH_LINES'], /,\s*/),
    many: positive(env, 'BENCH_MANY', 10_000),
    huge: positive(env, 'BENCH_HUGE', 100_000),
    streamRows: positive(env, 'BENCH_STREAM_ROWS', 10_000_000),
    idleSeconds: positive(env, 'BENCH_IDLE_SECONDS', 10),
    settleSeconds: positive(env, 'BENCH_SETTLE_SECONDS', 45),
    keepIn: env['BENCH_KEEP_IN'],
    troughArgs: words(env['BENCH_TROUGH_ARGS'], /\s+/),
  };
}

/** A number above zero from the environment. */
export function positive(env: NodeJS.ProcessEnv, name: string, otherwise: number): number {
  const given = env[name];
  if (given === undefined || given === '') return otherwise;
  const value = Number(given);
  if (!(value > 0 && value < Infinity)) throw new Error(`${name} is '${given}': a number above zero is needed`);
  return value;
}

/** Whether `line` is among those that were asked for: by its name, or by what stands before its last hyphens (`points` for `points-64`). */
export function isChosen(line: string, { lines }: Pick<Plan, 'lines'>): boolean {
  return lines.length === 0 || lines.some((name) => line === name || line.startsWith(`${name}-`));
}

function words(text: string | undefined, separator: RegExp): readonly string[] {
  return (text ?? '').split(separator).filter((word) => word !== '');
}
