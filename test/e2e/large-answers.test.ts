import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { provision, writeTo } from '../support/api.ts';
import { tempDir } from '../support/temp-dir.ts';
import { trough } from '../support/trough-process.ts';
import { systemClock } from '../../src/runtime/clock.ts';

const SEGMENTS = 5;
const ROWS = 900;
/** Makes answers of 800 kB. */
const DIGITS = 900;
const CLIENTS = 6;
const TURNS = 2;
/** Asked for at once on one connection: more than the system takes for a client that does not read yet. */
const AT_ONCE = 10;
const REST_MS = 200;

interface Ask {
  readonly segment: number;
  readonly rows: number;
  readonly isLegacy: boolean;
}

/** Lengths differ, so that a buffer holds what is left of a longer answer. */
function someAsk(at: number): Ask {
  return { segment: at % SEGMENTS, rows: ROWS - (at % 7) * 100, isLegacy: at % 2 === 0 };
}

function requestOf({ segment, rows, isLegacy }: Ask): string {
  const sql = `select id, text from t where id < ${String(rows)}`;
  const id = `large-${String(segment)}`;
  const path = isLegacy ? `/?segment=${id}` : `/v1/segments/${id}/query`;
  const body = isLegacy ? sql : JSON.stringify({ sql });
  const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n`;
  return `${head}Content-Length: ${String(body.length)}\r\n\r\n${body}`;
}

/** The bodies of the answers to all of them, in order, to a client that reads nothing for a while, and leaves after the first when it is to. */
async function answersTo(url: URL, asks: readonly Ask[], leaves: boolean): Promise<readonly string[]> {
  using socket = disposable(connect(Number(url.port), url.hostname));
  socket.value.write(asks.map(requestOf).join(''));
  socket.value.pause();
  await new Promise<void>((resolve) => systemClock.after(REST_MS, resolve));
  const bodies: string[] = [];
  let text = '';
  socket.value.setEncoding('latin1').resume();
  for await (const part of socket.value) {
    text += part as string;
    for (;;) {
      const bodyAt = text.indexOf('\r\n\r\n') + 4;
      const length = Number(/^content-length: (\d+)/im.exec(text.slice(0, Math.max(0, bodyAt)))?.[1] ?? Infinity);
      if (text.length < bodyAt + length) break;
      bodies.push(text.slice(bodyAt, bodyAt + length));
      text = text.slice(bodyAt + length);
      if (bodies.length === asks.length || leaves) return bodies;
    }
  }
  return bodies;
}

function disposable<T extends { destroy: () => void }>(value: T): { readonly value: T } & Disposable {
  return {
    value,
    [Symbol.dispose]: () => {
      value.destroy();
    },
  };
}

test('many large answers at a time, to clients that read late or leave, hold the rows of their own segment alone', async () => {
  await using dir = await tempDir();
  await using node = await trough({ data: dir.path });
  const url = new URL(node.ready.urls.read ?? '');
  for (let segment = 0; segment < SEGMENTS; segment += 1) {
    const { writeUrl } = await provision(node, `large-${String(segment)}`);
    const text = String(segment).repeat(DIGITS);
    const rows = Array.from({ length: ROWS }, (_, id) => `(${String(id)}, '${text}')`).join();
    await writeTo(writeUrl, `create table t (id integer primary key, text text); insert into t values ${rows}`);
  }
  const loop = async (client: number): Promise<void> => {
    for (let turn = 0; turn < TURNS; turn += 1) {
      const asks = Array.from({ length: AT_ONCE }, (_, at) => someAsk(client * 7 + turn * 3 + at));
      const leaves = (client + turn) % 4 === 0;
      const bodies = await answersTo(url, asks, leaves);
      expect(bodies).toHaveLength(leaves ? 1 : AT_ONCE);
      for (const [at, body] of bodies.entries()) {
        const { segment = 0, rows = 0 } = asks[at] ?? {};
        expect(body.slice(0, 500)).not.toContain('rror');
        JSON.parse(body);
        expect(body.split(String(segment).repeat(DIGITS))).toHaveLength(rows + 1);
      }
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, client) => loop(client)));
});
