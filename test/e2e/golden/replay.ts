import { once } from 'node:events';
import { type IncomingMessage, request as httpRequest } from 'node:http';
import { type Answer, differences, type Fill } from './compare.ts';
import { type GoldenCase, type GoldenRequest, type GoldenRole, type GoldenStep } from './golden-case.ts';

export interface ReplayOptions {
  /** Base URL of the port of each role. */
  readonly urls: Readonly<Record<GoldenRole, string>>;
  /** Distinguishes the ids of this run: letters and digits. */
  readonly run: string;
  /** Cases under way at a time. */
  readonly parallel: number;
}

const PLACEHOLDER = /\{\{(seg|schema)(\d)(:-3)?\}\}/g;
/** Everything else in a path is percent-encoded. */
const PLAIN_IN_PATH = /[A-Za-z0-9_.~/?&=%+:@,;!*'()-]/;
const TIMEOUT_MS = 60_000;

/** Sends every case; the result has a paragraph for each one whose answer differs. */
export async function replay(cases: readonly GoldenCase[], options: ReplayOptions): Promise<string[]> {
  const found: (string | undefined)[] = Array.from({ length: cases.length });
  const queue = cases.entries();
  const work = async (): Promise<void> => {
    for (const [index, golden] of queue) found[index] = await replayOne(golden, index, options);
  };
  await Promise.all(Array.from({ length: options.parallel }, work));
  return found.filter((text) => text !== undefined);
}

async function replayOne(golden: GoldenCase, index: number, { urls, run }: ReplayOptions): Promise<string | undefined> {
  const fill = fillerFor(`gc${run}${String(index).padStart(4, '0')}`);
  const different = await differencesOf(golden, urls, fill).catch((error: unknown) => [
    error instanceof Error ? error.message : String(error),
  ]);
  if (different.length === 0) return undefined;
  const title = golden.note === undefined ? golden.name : `${golden.name}: ${golden.note}`;
  return [title, ...different.map((line) => `  ${line}`)].join('\n');
}

async function differencesOf(golden: GoldenCase, urls: ReplayOptions['urls'], fill: Fill): Promise<string[]> {
  for (const step of golden.setup ?? []) await prepare(step, urls, fill);
  return differences(golden, await send(urls[golden.role], golden.request, fill), fill);
}

/** The ids of one case are its own. */
export function fillerFor(base: string): Fill {
  return (text) =>
    text.replace(PLACEHOLDER, (_, kind: string, number: string, cut: string | undefined) => {
      const id = `${base}${kind === 'schema' ? 's' : 'x'}${number}`;
      return cut === undefined ? id : id.slice(0, -3);
    });
}

async function prepare(step: GoldenStep, urls: ReplayOptions['urls'], fill: Fill): Promise<void> {
  if (step.op === 'release-lock') {
    const path = `/v1/segments/${encodeURIComponent(fill(step.segment))}/release`;
    const { status, body } = await send(urls.manager, { method: 'POST', path, headers: {} }, fill);
    if (status !== 200) throw new Error(`release-lock gave ${String(status)}: ${body.toString('utf8')}`);
    return;
  }
  const { status, body } = await send(urls[step.role], step, fill);
  const expected = [step.expect_status ?? 200].flat();
  if (expected.includes(status)) return;
  const said = `gave ${String(status)}, expected ${expected.join(' or ')}: ${body.toString('utf8').slice(0, 200)}`;
  throw new Error(`setup ${step.method} ${step.path} ${said}`);
}

/** One request on a connection of its own, its headers and body byte for byte as recorded. */
async function send(base: string, recorded: GoldenRequest, fill: Fill): Promise<Answer> {
  const { hostname, port } = new URL(base);
  const body = bodyOf(recorded, fill);
  const headers = Object.fromEntries(Object.entries(recorded.headers).map(([name, value]) => [name, fill(value)]));
  const request = httpRequest({
    hostname,
    port,
    agent: false,
    method: recorded.method,
    path: encodePath(fill(recorded.path)),
    headers: { ...headers, 'Content-Length': body.length },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  request.end(body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return receive(response);
}

async function receive(response: IncomingMessage): Promise<Answer> {
  const parts: Buffer[] = [];
  try {
    for await (const part of response) parts.push(part as Buffer);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET') throw error;
  }
  return {
    status: response.statusCode ?? 0,
    contentType: response.headers['content-type'] ?? '',
    body: Buffer.concat(parts),
    aborted: !response.complete,
  };
}

function bodyOf({ body = '', body_b64: base64, repeat }: GoldenRequest, fill: Fill): Buffer {
  if (base64 !== undefined) return Buffer.from(base64, 'base64');
  const pad = repeat === undefined ? '{{pad}}' : repeat.char.repeat(repeat.times);
  return Buffer.from(
    fill(body).replaceAll('{{pad}}', () => pad),
    'utf8',
  );
}

function encodePath(path: string): string {
  return Array.from(path, (char) => (PLAIN_IN_PATH.test(char) ? char : encodeURIComponent(char))).join('');
}
