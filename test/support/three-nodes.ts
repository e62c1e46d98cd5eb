import { nodesAlive } from './api.ts';
import { clusterNode } from './cluster-node.ts';
import { natsServer, type TestNatsServer } from './nats-server.ts';
import { tempDir } from './temp-dir.ts';
import { type TroughRun } from './trough-process.ts';

export interface ThreeNodes extends AsyncDisposable {
  readonly nats: TestNatsServer;
  readonly nodes: readonly [TroughRun, TroughRun, TroughRun];
}

/** The nodes n1, n2 and n3 on one nats-server and one cold storage, all alive. `args`: further flags of each. */
export async function threeNodes(...args: readonly string[]): Promise<ThreeNodes> {
  await using stack = new AsyncDisposableStack();
  const nats = stack.use(await natsServer());
  const dir = stack.use(await tempDir());
  const start = clusterNode(nats, dir, args);
  const first = stack.use(await start('n1'));
  const second = stack.use(await start('n2'));
  const third = stack.use(await start('n3'));
  await nodesAlive(first, 3);
  const owned = stack.move();
  return { nats, nodes: [first, second, third], [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose]() };
}
