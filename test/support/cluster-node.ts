import { trough, type TroughRun } from './trough-process.ts';

/** Starts nodes of one cluster, by their names: on one NATS server, with their data and a common cold storage in one directory. `args`: further flags of each. */
export function clusterNode(
  nats: { readonly url: string },
  dir: { readonly path: string },
  args: readonly string[] = [],
): (node: string, ...more: readonly string[]) => Promise<TroughRun & AsyncDisposable> {
  return (node, ...more) =>
    trough({
      data: `${dir.path}/${node}`,
      node,
      args: ['--nats', nats.url, '--cold', `${dir.path}/cold`, ...args, ...more],
    });
}
