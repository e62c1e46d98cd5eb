import { type TroughRun, trough } from '../../test/support/trough-process.ts';
import { dataset, type Dataset } from './dataset.ts';
import { type Plan } from './plan.ts';
import { type System } from './samples.ts';
import { sideProcess, type SideProcess } from './side-process.ts';

/** A node with its segments, and the plain server on the same files. */
export interface Stage extends AsyncDisposable {
  readonly plan: Plan;
  readonly set: Dataset;
  readonly node: TroughRun;
  readonly plain: SideProcess;
}

export type Record = (figure: string, system: System, value: number) => void;

/** One line of the bench; `run` is one round of it, and throws when it cannot be run. */
export interface Line {
  readonly name: string;
  readonly run: (stage: Stage, record: Record) => Promise<void>;
}

export async function openStage(plan: Plan, directory: string, segments: number): Promise<Stage> {
  const set = await dataset(directory, segments);
  const node = await trough({ data: set.data, args: ['--log-level', 'warn', ...plan.troughArgs] });
  const plain = await sideProcess('plain-server', set.data);
  return {
    plan,
    set,
    node,
    plain,
    [Symbol.asyncDispose]: async () => {
      await plain[Symbol.asyncDispose]();
      await node[Symbol.asyncDispose]();
    },
  };
}

export function readUrl({ node }: Pick<Stage, 'node'>): string {
  const { read } = node.ready.urls;
  if (read === undefined) throw new Error('the node has no reader');
  return read;
}
