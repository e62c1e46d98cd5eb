import { connect, type Socket } from 'node:net';

export interface SlowReader extends Disposable {
  /** The head of the answer, once it is there. */
  readonly head: Promise<string>;
  /** Bytes that have come so far, head and framing included. */
  readonly received: () => number;
  /** The last bytes that have come. */
  readonly tail: () => string;
  /** Takes nothing more from the connection until `resume`. */
  readonly pause: () => void;
  readonly resume: () => void;
  /** The other side has ended the connection. */
  readonly isClosed: () => boolean;
}

const TAIL_BYTES = 300;
const LAST_CHUNK = '\r\n0\r\n\r\n';

/** A POST on a bare connection that the test reads at its own pace, keeping none of it. */
export function slowReader(
  base: string | undefined,
  path: string,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): SlowReader {
  const { hostname, port } = new URL(base ?? '');
  const socket: Socket = connect(Number(port), hostname);
  const head = Promise.withResolvers<string>();
  let received = 0;
  let isClosed = false;
  let tail = Buffer.alloc(0);
  socket.on('data', (part: Buffer) => {
    received += part.length;
    if (received === part.length) head.resolve(part.subarray(0, part.indexOf('\r\n\r\n')).toString('latin1'));
    tail = Buffer.from(Buffer.concat([tail, part.subarray(-TAIL_BYTES)]).subarray(-TAIL_BYTES));
  });
  // A reset is an end like any other here: what counts is what had come before.
  socket.on('error', () => undefined);
  socket.on('close', () => {
    isClosed = true;
    head.reject(new Error('the connection ended before the answer began'));
  });
  head.promise.catch(() => undefined);
  const all = { Host: hostname, 'Content-Length': String(Buffer.byteLength(body)), ...headers };
  const lines = Object.entries<string>(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`);
  return {
    head: head.promise,
    received: () => received,
    tail: () => tail.toString('latin1'),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    isClosed: () => isClosed,
    [Symbol.dispose]: () => {
      socket.destroy();
    },
  };
}

/** Whether what has come of a chunked answer looks complete to its reader. */
export function looksComplete(reader: SlowReader): boolean {
  return reader.tail().endsWith(LAST_CHUNK);
}
