import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HdfsProcess } from './hdfs-process.ts';
import { tempDir } from './temp-dir.ts';

export interface HdfsOptions {
  /** Data nodes in the name node's own process; default 1. */
  readonly dataNodes?: number;
  /** Hadoop properties. */
  readonly set?: Readonly<Record<string, string>>;
}

/** A real HDFS of Apache Hadoop on free ports of loopback, with a store of its own. */
export interface TestHdfs extends AsyncDisposable {
  /** `host:port` of the name node's HTTP port. */
  readonly authority: string;
  /** `http://host:port/webhdfs/v1` */
  readonly url: string;
  /** A data node in a process of its own, so that it can be killed. Its index must be one that nobody has. */
  join(index: number): Promise<TestDataNode>;
  safeMode(on: boolean): Promise<void>;
  stopNameNode(): Promise<void>;
  /** On the same ports, with the same files. */
  startNameNode(): Promise<void>;
  /** Room for so many bytes below a directory, counted in whole blocks; undefined: no limit. */
  quota(path: string, bytes: number | undefined): Promise<void>;
  stopDataNode(index: number): Promise<void>;
  startDataNode(index: number): Promise<void>;
  /** A small file at each of these absolute paths, quickly. */
  fill(paths: readonly string[]): Promise<void>;
  /** Makes everything at and below a path as old as one that was changed so long ago. */
  age(path: string, ms: number): Promise<void>;
}

export interface TestDataNode extends AsyncDisposable {
  readonly authority: string;
  /** SIGKILL. Resolves when the process is gone. */
  kill(): Promise<void>;
}

/** `await using hdfs = await testHdfs();` Resolves when files can be written. */
export async function testHdfs(options: HdfsOptions = {}): Promise<TestHdfs> {
  const dir = await tempDir();
  const set = Object.entries(options.set ?? {}).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  const java = await HdfsProcess.start(join(dir.path, 'hdfs'), [
    ...['--datanodes', String(options.dataNodes ?? 1)],
    ...set,
  ]);
  const url = java.first.webhdfs ?? '';
  return {
    url,
    authority: new URL(url).host,
    join: async (index) => {
      const args = ['--join', java.first.rpc, '--first', String(index), '--datanodes', '1', ...set];
      const own = await HdfsProcess.start(join(dir.path, `joined-${String(index)}`), args);
      const [node] = own.first.datanodes;
      return {
        authority: new URL(node?.url ?? '').host,
        kill: () => own.kill(),
        [Symbol.asyncDispose]: () => own.kill(),
      };
    },
    safeMode: (on) => java.tell(`safemode ${on ? 'on' : 'off'}`),
    stopNameNode: () => java.tell('namenode stop'),
    startNameNode: () => java.tell('namenode start'),
    quota: (path, bytes) =>
      java.tell(bytes === undefined ? `quota clear ${path}` : `quota set ${path} ${String(bytes)}`),
    stopDataNode: (index) => java.tell(`datanode stop ${String(index)}`),
    startDataNode: (index) => java.tell(`datanode start ${String(index)}`),
    fill: async (paths) => {
      const list = join(dir.path, `fill-${randomUUID()}`);
      await writeFile(list, paths.join('\n'));
      await java.tell(`fill ${list}`);
    },
    age: (path, ms) => java.tell(`age ${path} ${String(ms)}`),
    [Symbol.asyncDispose]: async () => {
      await java.kill();
      await dir[Symbol.asyncDispose]();
    },
  };
}
