import { ChildProcess as NodeChild, spawn } from 'node:child_process';
import { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { TroughError } from '../errors.ts';
import { type ChildArguments, type ChildSettings } from './messages.ts';
import { launcher, type ProcessLimits } from './process-launch.ts';
import { FRAME, FrameReader, type FrameType, FrameWriter, type OnFrame } from './protocol.ts';

/** Node runs the sources as they are in tests, and what was built from them elsewhere. */
const ENTRY = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './child.ts' : './child.js', import.meta.url));

export interface ChildOptions {
  /** The node binary that runs the children. */
  readonly nodePath: string;
  readonly settings: ChildSettings;
  readonly limits?: ProcessLimits | undefined;
}

/** How a child ended. */
export interface ChildEnd {
  /** It said that it had no memory left. */
  readonly isOutOfMemory: boolean;
  /** Why, as far as the system tells: a signal or an exit code. */
  readonly reason: string;
  /** The last of what it wrote on stderr. */
  readonly lastWords: string;
}

export interface ChildEvents {
  readonly onFrame: OnFrame;
  /** Once, when the child serves. */
  readonly onReady?: () => void;
  /** Once, after the last frame. `wasReady` is false for a child that never got as far as to serve. */
  readonly onGone: (wasReady: boolean, end: ChildEnd) => void;
}

const LAST_WORDS = 4_096;
/** What V8, Node and the C++ library say before they abort. */
const OUT_OF_MEMORY = /out of memory|bad_alloc|cannot allocate memory|allocation failed|ENOMEM/i;
/** The part of the memory that V8 may take for its objects; SQLite and buffers have the rest. */
const HEAP_PART = 0.5;
const MIB = 2 ** 20;

/** One child as its parent sees it: frames in, frames out, and its end. It knows nothing of what the frames mean. */
export class ChildProcess {
  readonly #node: NodeChild;
  readonly #socket: Duplex;
  readonly #out: FrameWriter;
  readonly #in: FrameReader;
  readonly #gone: Promise<void>;
  #flushIsDue = false;
  #isReady = false;
  #lastWords = '';
  #isGone = false;

  constructor(options: ChildOptions, events: ChildEvents) {
    this.#node = start(options);
    this.#node.stderr?.on('data', (bytes: Buffer) => {
      this.#lastWords = (this.#lastWords + bytes.toString('utf8')).slice(-LAST_WORDS);
    });
    this.#socket = socketOf(this.#node);
    this.#out = new FrameWriter((bytes, done) => this.#socket.write(bytes, done));
    this.#in = new FrameReader((type, call, payload) => {
      if (type !== FRAME.ready) {
        events.onFrame(type, call, payload);
        return;
      }
      this.#isReady = true;
      events.onReady?.();
    });
    this.#socket.on('data', (received: Buffer) => {
      this.#in.push(received);
    });
    // A broken socket means a dead child, which 'close' reports.
    this.#socket.on('error', () => {
      this.kill();
    });
    this.#gone = this.#watch(events);
  }

  get pid(): number | undefined {
    return this.#node.pid;
  }

  /** It has loaded and serves. What is sent before is kept for it. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Frames of one turn of the event loop go out as one write: what 64 connections brought at once is one system call, not 64. */
  send(type: FrameType, call: number, ...payload: readonly (string | Uint8Array)[]): void {
    if (this.#isGone) return;
    this.#out.send(type, call, ...payload);
    if (this.#flushIsDue) return;
    this.#flushIsDue = true;
    setImmediate(() => {
      this.#flushIsDue = false;
      if (this.#socket.writable) this.#out.flush();
    });
  }

  /** Nobody looks at that payload any more: its memory is for a next one. */
  giveBack(payload: Buffer): void {
    this.#in.pool.give(payload);
  }

  kill(): void {
    // One that was never started has the id 0 to libuv, which is the group of this process.
    if (this.pid !== undefined) this.#node.kill('SIGKILL');
  }

  /** Lets the child close its files; kills it when it does not within `graceMs`. Resolves when it is gone. */
  async stop(graceMs: number): Promise<void> {
    this.#socket.end();
    const timer = setTimeout(() => {
      this.kill();
    }, graceMs);
    await this.#gone;
    clearTimeout(timer);
  }

  #watch(events: ChildEvents): Promise<void> {
    return new Promise((resolve) => {
      const end = (reason: string): void => {
        if (this.#isGone) return;
        this.#isGone = true;
        this.#socket.destroy();
        const lastWords = this.#lastWords.trim();
        events.onGone(this.#isReady, { isOutOfMemory: OUT_OF_MEMORY.test(lastWords), reason, lastWords });
        resolve();
      };
      this.#node.once('close', (code, signal) => {
        end(signal ?? `exit code ${String(code)}`);
      });
      this.#node.once('error', (error) => {
        end(error.message);
      });
    });
  }
}

function start({ nodePath, settings, limits = {} }: ChildOptions): NodeChild {
  const { command, diesWithParent } = launcher();
  const given: ChildArguments = { ...settings, parent: process.pid, watchesParent: !diesWithParent };
  const flags = ['--disable-warning=ExperimentalWarning'];
  if (limits.memoryBytes !== undefined) {
    flags.push(`--max-old-space-size=${String(Math.max(1, Math.floor((limits.memoryBytes * HEAP_PART) / MIB)))}`);
  }
  const { file, args } = command(nodePath, [...flags, ENTRY, JSON.stringify(given)], limits);
  try {
    return spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe', 'pipe'] });
  } catch (error) {
    return unstarted(error);
  }
}

/** Of what keeps the system from starting a process, Node throws some and tells of the rest; here all of it is told of. */
function unstarted(error: unknown): NodeChild {
  const node = new NodeChild();
  process.nextTick(() => node.emit('error', error));
  return node;
}

function socketOf(node: NodeChild): Duplex {
  // Without a process there need not be sockets, whatever the types say: 'error' is on its way.
  if (node.pid === undefined) return nowhere();
  const socket = node.stdio[3];
  if (socket === null || socket === undefined || !('write' in socket) || !('read' in socket)) {
    throw new TroughError('INTERNAL', 'a child process was started without its socket');
  }
  return socket as Duplex;
}

function nowhere(): Duplex {
  return new Duplex({
    read: () => undefined,
    write: (_chunk, _encoding, done) => {
      done();
    },
  });
}
