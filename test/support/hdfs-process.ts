import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { type Readable, type Writable } from 'node:stream';
import { hdfsClassPath } from './hdfs-jars.ts';

/** Quick to start and small, rather than fast. Hadoop before 3.5 needs the opened package. */
const JVM = [
  ...['--add-opens', 'java.base/java.lang=ALL-UNNAMED', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'],
  ...['-Xms32m', '-Xmx320m', '-Xss512k'],
];

/** What it tells of itself. */
interface State {
  readonly webhdfs?: string;
  readonly rpc: string;
  readonly datanodes: readonly { readonly index: number; readonly url: string }[];
  readonly error?: string;
}

/** One Java process of a real HDFS: `MiniHdfs`, which answers each command with one line. */
export class HdfsProcess {
  readonly first: State;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #lines: Interface;
  #asked: Promise<unknown> = Promise.resolve();

  private constructor(child: ChildProcessByStdio<Writable, Readable, Readable>, lines: Interface, first: State) {
    this.#child = child;
    this.#lines = lines;
    this.first = first;
  }

  static async start(data: string, args: readonly string[]): Promise<HdfsProcess> {
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
    return new HdfsProcess(child, lines, JSON.parse(line) as State);
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
