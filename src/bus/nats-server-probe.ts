import { connect } from 'node:net';
import { TroughError } from '../errors.ts';

const TIMEOUT_MS = 2_000;
const MOST_BYTES = 64 * 1024;

/** The part of the greeting of a nats-server that matters to its keeper. */
export interface NatsServerGreeting {
  readonly version: string;
  /** JetStream is on: the server opens its port only after it has recovered the store. */
  readonly jetstream: boolean;
}

/** Connects, reads the server's INFO line, hangs up. Error: NATS_SERVER_FAILED when nothing that speaks NATS listens there. */
export function greetNatsServer(host: string, port: number): Promise<NatsServerGreeting> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: TIMEOUT_MS });
    let text = '';
    const fail = (reason: string, cause?: unknown): void => {
      socket.destroy();
      reject(
        new TroughError(
          'NATS_SERVER_FAILED',
          `nats-server at ${host}:${String(port)} ${reason}`,
          { host, port },
          cause,
        ),
      );
    };
    socket.setEncoding('utf8');
    socket.on('timeout', () => {
      fail(`said nothing for ${String(TIMEOUT_MS / 1000)} s`);
    });
    socket.on('error', (error) => {
      fail('cannot be reached', error);
    });
    socket.on('end', () => {
      fail('hung up without a greeting');
    });
    socket.on('data', (chunk: string) => {
      text += chunk;
      const end = text.indexOf('\r\n');
      if (end < 0 && text.length < MOST_BYTES) return;
      const greeting = parse(text.slice(0, Math.max(0, end)));
      if (greeting === undefined) {
        fail('does not speak NATS');
        return;
      }
      socket.destroy();
      resolve(greeting);
    });
  });
}

function parse(line: string): NatsServerGreeting | undefined {
  if (!line.startsWith('INFO ')) return undefined;
  try {
    const info: unknown = JSON.parse(line.slice('INFO '.length));
    if (typeof info !== 'object' || info === null || !('version' in info) || typeof info.version !== 'string')
      return undefined;
    return { version: info.version, jetstream: 'jetstream' in info && info.jetstream === true };
  } catch {
    return undefined;
  }
}
