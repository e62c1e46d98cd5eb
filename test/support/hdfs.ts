import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { type Readable, type Writable } from 'node:stream';
import { hdfsClassPath } from './hdfs-jars.ts';
import { tempDir } from './temp-dir.ts';

/** Quick to start and small, rather than fast. Hadoop before 3.5 needs the opened package. */
const JVM = [
  ...['--add-opens', 'java.base/java.lang=ALL-UNNAMED', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'],
  ...['-Xms32m', '-Xmx320m', '-Xss512k'],
];

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

interface State {
  readonly webhdfs?: string;
  readonly rpc: string;
  readonly datanodes: readonly { readonly index: number; readonly url: string }[];
  readonly error?: string;
}

/** `await using hdfs = await testHdfs();` Resolves when files can be written. */
export async function testHdfs(options: HdfsOptions = {}): Promise<TestHdfs> {
  const dir = await tempDir();
  const set = Object.entries(options.set ?? {}).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  const java = await JavaProcess.start(join(dir.path, 'hdfs'), [
    ...['--datanodes', String(options.dataNodes ?? 1)],
    ...set,
  ]);
  const url = java.first.webhdfs ?? '';
  return {
    url,
    authority: new URL(url).host,
    join: async (index) => {
      const args = ['--join', java.first.rpc, '--first', String(index), '--datanodes', '1', ...set];
      const own = await JavaProcess.start(join(dir.path, `joined-${String(index)}`), args);
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

class JavaProcess {
  readonly first: State;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #lines: Interface;
  #asked: Promise<unknown> = Promise.resolve();

  private constructor(child: ChildProcessByStdio<Writable, Readable, Readable>, lines: Interface, first: State) {
    this.#child = child;
    this.#lines = lines;
    this.first = first;
  }

  static async start(data: string, args: readonly string[]): Promise<JavaProcess> {
    const program = ['-cp', await hdfsClassPath(), 'MiniHdfs', '--data', data, '--stdin', ...args];
    const child = spawn('java', [...JVM, ...program], { stdio: ['pipe', 'pipe', 'pipe'] });
    const said: string[] = [];
    child.stderr.setEncoding('utf8').on('data', (part: string) => said.push(part));
    const lines = createInterface({ input: child.stdout });
    const ended = once(child, 'close').then(([code]) => {
      throw new Error(`HDFS ended with ${String(code)} before it was ready:\n${said.join('')}`);
    });
    ended.catch(() => undefined);
    const [line] = (await Promise.race([once(lines, 'line'), ended])) as [string];
    return new JavaProcess(child, lines, JSON.parse(line) as State);
  }

  /** One command at a time. */
  async tell(command: string): Promise<void> {
    const answer = this.#asked.then(async () => {
      const line = once(this.#lines, 'line');
      this.#child.stdin.write(`${command}\n`);
      return JSON.parse(((await line) as [string])[0]) as State;
    });
    this.#asked = answer.catch(() => undefined);
    const { error } = await answer;
    if (error !== undefined) throw new Error(`HDFS: ${command}: ${error}`);
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'close');
    this.#child.kill('SIGKILL');
    await gone;
  }
}
