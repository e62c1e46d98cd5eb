import { TroughError } from '../errors.ts';
import { type Control } from '../messages/control.ts';
import { parseSegmentId } from '../model/segment-id.ts';
import { type Exchange } from './exchange.ts';
import { sendPage } from './html-page.ts';
import { parseExactJson } from '../model/exact-json.ts';
import { legacyJson } from './legacy-json.ts';
import { type LegacyRoute } from './legacy-router.ts';
import { decodeUtf8 } from './utf8.ts';

const JSON_TYPE = /^application\/(.+\+)?json\s*(;|$)/i;

/** The original's routes that make, publish and delete segments. */
export function legacyLifecycleRoutes(control: Control): readonly LegacyRoute[] {
  return [
    { path: '/', methods: { POST: (exchange) => provisionPlain(exchange, control) } },
    { path: '/provision', methods: { POST: (exchange) => provision(exchange, control) } },
    { path: '/promote', methods: { POST: (exchange) => promote(exchange, control) } },
    { path: '/segment/{id}', methods: { DELETE: (exchange, id) => shred(exchange, id, control) } },
  ];
}

/** The body is the id, whatever the content type says. */
async function provisionPlain(exchange: Exchange, control: Control): Promise<void> {
  const segment = parseSegmentId(decodeUtf8(await exchange.body()));
  const { writeUrl } = await control.provision({ segment });
  exchange.send({ status: 200, type: 'text/plain; charset=utf-8', body: writeUrl });
}

async function provision(exchange: Exchange, control: Control): Promise<void> {
  const body = await exchange.body();
  if (!JSON_TYPE.test(exchange.header('content-type') ?? '')) {
    sendPage(exchange, 500, 'the content type must be application/json', 'REQUEST_INVALID');
    return;
  }
  const input = tryJson(body);
  if (input === undefined) {
    sendPage(exchange, 400, 'the body is not JSON', 'REQUEST_INVALID');
    return;
  }
  const segment = parseSegmentId(textAt(input.value, 'segment'));
  const schema = hasKey(input.value, 'schema') ? textAt(input.value, 'schema') : undefined;
  try {
    const answer = await control.provision(schema === undefined ? { segment } : { segment, schema });
    const reply = { write_url: answer.writeUrl, result: 'success', size: answer.sizeBytes, schema: answer.schema };
    exchange.send({ status: 200, type: 'application/json', body: legacyJson(reply) });
  } catch (thrown) {
    if (!(thrown instanceof TroughError) || thrown.code !== 'SEGMENT_COLD_TIER') throw thrown;
    const error = `cannot provision segment ${segment} for writing because that segment id is in the read-only cold storage range`;
    const headers = ['Trough-Error', thrown.code];
    exchange.send({ status: 400, type: 'application/json', body: `${legacyJson({ error })}\n`, headers });
  }
}

async function promote(exchange: Exchange, control: Control): Promise<void> {
  const segment = parseSegmentId(textAt(parseExactJson(decodeUtf8(await exchange.body())), 'segment'));
  const { path } = await control.promote({ segment });
  exchange.send({ status: 200, type: 'application/json', body: legacyJson({ remote_path: path }) });
}

async function shred(exchange: Exchange, id: string, control: Control): Promise<void> {
  try {
    await control.shred({ segment: parseSegmentId(id), force: false });
    exchange.send({ status: 204, type: 'text/html; charset=utf-8', body: '' });
  } catch (thrown) {
    if (!(thrown instanceof TroughError)) throw thrown;
    if (thrown.code === 'SEGMENT_UNKNOWN') sendPage(exchange, 404, thrown.message, thrown.code);
    else if (thrown.code === 'SEGMENT_LEASED') sendPage(exchange, 400, thrown.message, thrown.code);
    else throw thrown;
  }
}

function tryJson(body: Buffer): { readonly value: unknown } | undefined {
  try {
    return { value: parseExactJson(decodeUtf8(body)) };
  } catch {
    return undefined;
  }
}

function hasKey(value: unknown, key: string): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key);
}

function textAt(value: unknown, key: string): string {
  const text = hasKey(value, key) ? value[key] : undefined;
  if (typeof text !== 'string')
    throw new TroughError('REQUEST_INVALID', `the body must be a JSON object in which '${key}' is a string`);
  return text;
}
