import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { HdfsProcess } from './hdfs-process.ts';
import { tempDir } from './temp-dir.ts';

/** Two name nodes that share their edits, each in a process of its own, and a data node beside the first. The first one leads. */
export interface TestHdfsPair extends AsyncDisposable {
  /** `host:port` of their HTTP ports. */
  readonly first: string;
  readonly second: string;
  /** The one that leads waits from now on, the other leads. */
  takeTurns(): Promise<void>;
  /** The second one leads, is killed, and the first one leads again. */
  loseSecond(): Promise<void>;
}

const HOST = '127.0.0.1';

/** `await using pair = await testHdfsPair();` Resolves when files can be written. */
export async function testHdfsPair(): Promise<TestHdfsPair> {
  const dir = await tempDir();
  const ports = await freePorts(4);
  const addressOf = (at: number): string => `${HOST}:${String(ports[at])}`;
  const settings = {
    'dfs.nameservices': 'service',
    'fs.defaultFS': 'hdfs://service',
    'dfs.ha.namenodes.service': 'one,two',
    'dfs.namenode.rpc-address.service.one': addressOf(0),
    'dfs.namenode.http-address.service.one': addressOf(1),
    'dfs.namenode.rpc-address.service.two': addressOf(2),
    'dfs.namenode.http-address.service.two': addressOf(3),
    'dfs.client.failover.proxy.provider.service':
      'org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider',
    // Data nodes, which serve WebHDFS, look for the one that leads: not for many seconds here.
    'dfs.client.failover.sleep.base.millis': '50',
    'dfs.client.failover.sleep.max.millis': '500',
    'dfs.ha.tail-edits.period': '1',
    'dfs.ha.standby.checkpoints': 'false',
  };
  const set = Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  const start = (id: string): Promise<HdfsProcess> =>
    HdfsProcess.start(join(dir.path, 'hdfs'), ['--ha', id, '--datanodes', '0', ...set]);
  const one = await start('one');
  const two = await start('two');
  // The data node comes last: one that does not find a name node looks for it again after five seconds only.
  await one.tell('ha active');
  await one.tell('datanode start 0');
  let [active, standby] = [one, two];
  const takeTurns = async (): Promise<void> => {
    await active.tell('ha standby');
    await standby.tell('ha active');
    [active, standby] = [standby, active];
  };
  return {
    first: addressOf(1),
    second: addressOf(3),
    takeTurns,
    loseSecond: async () => {
      if (active !== two) await takeTurns();
      await two.kill();
      await one.tell('ha active');
      [active, standby] = [one, two];
    },
    [Symbol.asyncDispose]: async () => {
      await one.kill();
      await two.kill();
      await dir[Symbol.asyncDispose]();
    },
  };
}

/** All different: each is only free until somebody else takes it. */
async function freePorts(many: number): Promise<readonly number[]> {
  const found = new Set<number>();
  while (found.size < many) found.add(await freePort());
  return [...found];
}
