import { type ChildProcess as NodeChild, spawn } from 'node:child_process';
import { type Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { TroughError } from '../errors.ts';
import { type ChildSettings } from './messages.ts';
import { FRAME, FrameReader, type FrameType, FrameWriter, type OnFrame } from './protocol.ts';

/** Node runs the sources as they are in tests, and what was built from them elsewhere. */
const ENTRY = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './child.ts' : './child.js', import.meta.url));

export interface ChildOptions {
  /** The node binary that runs the children. */
  readonly nodePath: string;
  readonly settings: ChildSettings;
}

export interface ChildEvents {
  readonly onFrame: OnFrame;
  /** Once, after the last frame. `wasReady` is false for a child that never got as far as to serve. */
  readonly onGone: (wasReady: boolean) => void;
}

/** One child as its parent sees it: frames in, frames out, and its end. It knows nothing of what the frames mean. */
export class ChildProcess {
  readonly #node: NodeChild;
  readonly #socket: Duplex;
  readonly #out: FrameWriter;
  readonly #gone: Promise<void>;
  #flushIsDue = false;
  #isReady = false;
  #isGone = false;

  constructor(options: ChildOptions, events: ChildEvents) {
    this.#node = spawn(
      options.nodePath,
      ['--disable-warning=ExperimentalWarning', ENTRY, JSON.stringify(options.settings)],
      {
        stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
      },
    );
    this.#socket = socketOf(this.#node);
    this.#out = new FrameWriter((bytes) => this.#socket.write(bytes));
    const reader = new FrameReader((type, call, payload) => {
      if (type === FRAME.ready) this.#isReady = true;
      else events.onFrame(type, call, payload);
    });
    this.#socket.on('data', (received: Buffer) => {
      reader.push(received);
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
      if (!this.#socket.destroyed) this.#out.flush();
    });
  }

  kill(): void {
    this.#node.kill('SIGKILL');
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
      const end = (): void => {
        if (this.#isGone) return;
        this.#isGone = true;
        this.#socket.destroy();
        events.onGone(this.#isReady);
        resolve();
      };
      this.#node.once('close', end);
      this.#node.once('error', end);
    });
  }
}

function socketOf(node: NodeChild): Duplex {
  const socket = node.stdio[3];
  if (socket === null || socket === undefined || !('write' in socket) || !('read' in socket)) {
    throw new TroughError('INTERNAL', 'a child process was started without its socket');
  }
  return socket as Duplex;
}
