import { connect, type Socket } from 'node:net';
import { AnswerReader } from './answer-reader.ts';

export interface LoadResult {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Answers other than 200, and connections that broke. */
  readonly failed: number;
  /** The first bytes of the first answer that failed. */
  readonly firstFailure: string | undefined;
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
 * server. A server that stalls is not asked meanwhile, so latencies are those of a full queue. A connection that breaks is made again.
 */
export async function httpLoad(plan: LoadPlan): Promise<LoadResult> {
  const { hostname, port } = new URL(plan.url);
  const latencies: number[] = [];
  const startAt = performance.now() + plan.warmUpSeconds * 1_000;
  const endAt = startAt + plan.seconds * 1_000;
  let failed = 0;
  let firstFailure: string | undefined;
  const note: Note = (sentAt, failure) => {
    const now = performance.now();
    if (now < startAt || now >= endAt) return;
    if (failure === undefined) {
      latencies.push(now - sentAt);
      return;
    }
    failed += 1;
    firstFailure ??= failure;
  };
  const one = async (): Promise<void> => {
    while (performance.now() < endAt) await converse(connect(Number(port), hostname), plan.request, endAt, note);
  };
  await Promise.all(Array.from({ length: plan.connections }, one));
  latencies.sort((a, b) => a - b);
  const at = (share: number): number =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? NaN;
  return {
    perSecond: latencies.length / plan.seconds,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: at(1),
    failed,
    firstFailure,
  };
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

type Note = (sentAt: number, failure: string | undefined) => void;

/** One connection until `endAt` or until it breaks. */
function converse(socket: Socket, request: () => Buffer, endAt: number, note: Note): Promise<void> {
  socket.setNoDelay(true);
  const reader = new AnswerReader();
  let sentAt = performance.now();
  let broken: Error | undefined;
  const send = (): void => {
    sentAt = performance.now();
    if (sentAt < endAt) socket.write(request());
    else socket.destroy();
  };
  return new Promise((resolve) => {
    // An answer that never comes must not hold the others up for longer than the time they had.
    const timer = setTimeout(() => socket.destroy(new Error('no answer')), Math.max(0, endAt - sentAt) + 10_000);
    socket.on('connect', send);
    socket.on('error', (error) => {
      broken = error;
    });
    socket.on('close', () => {
      clearTimeout(timer);
      if (broken !== undefined || performance.now() < endAt) note(sentAt, broken?.message ?? 'the connection ended');
      // Not at once: a port that refuses would be asked without a pause.
      setTimeout(resolve, broken === undefined ? 0 : 10);
    });
    socket.on('data', (part: Buffer) => {
      if (!reader.take(part)) return;
      note(sentAt, reader.ok ? undefined : reader.beginning);
      send();
    });
  });
}
