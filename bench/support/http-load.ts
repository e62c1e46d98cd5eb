import { connect, type Socket } from 'node:net';

export interface LoadResult {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly failed: number;
}

export interface LoadPlan {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  /** Not counted, at the start. */
  readonly warmUpSeconds: number;
  /** The bytes of one request; called for each. */
  readonly request: () => Buffer;
}

/**
 * A closed loop of keep-alive connections, each with one request on its way, on bare sockets: a full HTTP client would be measured with the
 * server. Every answer must have a Content-Length; anything but 200 counts as failed.
 */
export async function httpLoad(plan: LoadPlan): Promise<LoadResult> {
  const { hostname, port } = new URL(plan.url);
  const latencies: number[] = [];
  const startAt = performance.now() + plan.warmUpSeconds * 1_000;
  const endAt = startAt + plan.seconds * 1_000;
  let failed = 0;
  const note = (sentAt: number, now: number, ok: boolean): void => {
    if (now < startAt || now >= endAt) return;
    if (ok) latencies.push(now - sentAt);
    else failed += 1;
  };
  const next = (): Buffer | undefined => (performance.now() < endAt ? plan.request() : undefined);
  await Promise.all(Array.from({ length: plan.connections }, () => loop(connect(Number(port), hostname), next, note)));
  latencies.sort((a, b) => a - b);
  const at = (share: number): number =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? NaN;
  return { perSecond: latencies.length / plan.seconds, p50Ms: at(0.5), p99Ms: at(0.99), failed };
}

export function post(path: string, body: string, type = 'application/sql'): Buffer {
  const bytes = Buffer.from(body);
  return Buffer.concat([
    Buffer.from(
      `POST ${path} HTTP/1.1\r\nHost: trough\r\nContent-Type: ${type}\r\nContent-Length: ${String(bytes.length)}\r\n\r\n`,
    ),
    bytes,
  ]);
}

function loop(
  socket: Socket,
  next: () => Buffer | undefined,
  note: (sentAt: number, now: number, ok: boolean) => void,
): Promise<void> {
  socket.setNoDelay(true);
  let sentAt = 0;
  let received: Buffer = Buffer.alloc(0);
  const send = (): void => {
    const request = next();
    if (request === undefined) {
      socket.destroy();
      return;
    }
    sentAt = performance.now();
    socket.write(request);
  };
  return new Promise((resolve, reject) => {
    socket.on('connect', send);
    socket.on('error', reject);
    socket.on('close', () => {
      resolve();
    });
    socket.on('data', (part: Buffer) => {
      received = received.length === 0 ? part : Buffer.concat([received, part]);
      const length = answerLength(received);
      if (length === undefined || received.length < length) return;
      note(sentAt, performance.now(), received.toString('latin1', 9, 12) === '200');
      received = Buffer.alloc(0);
      send();
    });
  });
}

/** Head and body together; undefined while the head is not complete. */
function answerLength(received: Buffer): number | undefined {
  const end = received.indexOf('\r\n\r\n');
  if (end === -1) return undefined;
  const head = received.toString('latin1', 0, end);
  const match = /content-length: (\d+)/i.exec(head);
  if (match === null) throw new Error(`an answer without a length: ${head}`);
  return end + 4 + Number(match[1]);
}
