import { TroughError } from '../errors.ts';
import { type Control } from '../messages/control.ts';
import { type Exchange } from './exchange.ts';
import { sendPage } from './html-page.ts';
import { parseExactJson } from '../model/exact-json.ts';
import { legacyJson, pythonRepr } from './legacy-json.ts';
import { type LegacyRoute } from './legacy-router.ts';
import { decodeUtf8 } from './utf8.ts';

const REFUSED = 'schema sql failed validation: ';
/** What the original's driver does not count among operational errors; there it is a 500. */
const CONSTRAINT = /constraint failed|datatype mismatch/;

/** The original's routes of schemas. */
export function legacySchemaRoutes(control: Control): readonly LegacyRoute[] {
  return [
    { path: '/schema', methods: { GET: (exchange) => list(exchange, control) } },
    {
      path: '/schema/{id}',
      methods: {
        GET: (exchange, id) => get(exchange, id, control, sendDocument),
        PUT: (exchange, id) => putDocument(exchange, id, control),
      },
    },
    {
      path: '/schema/{id}/sql',
      methods: {
        GET: (exchange, id) => get(exchange, id, control, sendSql),
        PUT: async (exchange, id) => put(exchange, id, decodeUtf8(await exchange.body()), control),
      },
    },
  ];
}

async function list(exchange: Exchange, control: Control): Promise<void> {
  const answer = await control.schema({ op: 'list' });
  if (answer.op !== 'list') throw new TroughError('BUS_ANSWER_BROKEN', 'not a list of schemas');
  exchange.send({ status: 200, type: 'application/json', body: legacyJson(answer.ids) });
}

type Send = (exchange: Exchange, id: string, sql: string) => void;

async function get(exchange: Exchange, id: string, control: Control, send: Send): Promise<void> {
  try {
    const answer = await control.schema({ op: 'get', id });
    if (answer.op !== 'get') throw new TroughError('BUS_ANSWER_BROKEN', 'not a schema');
    send(exchange, id, answer.sql);
  } catch (thrown) {
    if (!(thrown instanceof TroughError) || thrown.code !== 'SCHEMA_UNKNOWN') throw thrown;
    sendPage(exchange, 404, thrown.message, thrown.code);
  }
}

function sendDocument(exchange: Exchange, id: string, sql: string): void {
  exchange.send({ status: 200, type: 'application/json', body: legacyJson({ id, sql }) });
}

function sendSql(exchange: Exchange, _id: string, sql: string): void {
  exchange.send({ status: 200, type: 'application/sql; charset=utf-8', body: sql });
}

async function putDocument(exchange: Exchange, id: string, control: Control): Promise<void> {
  const body = await exchange.body();
  let input: unknown;
  try {
    input = parseExactJson(decodeUtf8(body));
  } catch {
    refuse(exchange, 'input could not be parsed as json');
    return;
  }
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw new TroughError('REQUEST_INVALID', 'the body must be a JSON object with the keys id and sql');
  }
  const keys = Object.keys(input);
  if (!('id' in input) || !('sql' in input) || keys.length !== 2) {
    const shown = keys.length === 0 ? 'set()' : `{${keys.map(pythonRepr).join(', ')}}`;
    refuse(exchange, `input json has keys ${shown} (should be {'id', 'sql'})`);
    return;
  }
  if (input.id !== id) {
    refuse(exchange, `id in json ${pythonRepr(input.id)} does not match id in url ${pythonRepr(id)}`);
    return;
  }
  if (typeof input.sql !== 'string') throw new TroughError('REQUEST_INVALID', 'sql must be a string');
  await put(exchange, id, input.sql, control);
}

async function put(exchange: Exchange, id: string, sql: string, control: Control): Promise<void> {
  try {
    const answer = await control.schema({ op: 'put', id, sql });
    if (answer.op !== 'put') throw new TroughError('BUS_ANSWER_BROKEN', 'not the answer to a schema that was put');
    exchange.send({ status: answer.created ? 201 : 204, type: 'text/html; charset=utf-8', body: '' });
  } catch (thrown) {
    if (!(thrown instanceof TroughError) || thrown.kind !== 'input' || CONSTRAINT.test(thrown.message)) throw thrown;
    const said = thrown.code !== 'SCHEMA_INVALID' || thrown.message.startsWith(REFUSED);
    refuse(exchange, said ? thrown.message : `${REFUSED}${thrown.message}`, thrown);
  }
}

function refuse(exchange: Exchange, message: string, error?: TroughError): void {
  const headers = ['Trough-Error', error?.code ?? 'REQUEST_INVALID'];
  exchange.send({ status: 400, type: 'text/plain; charset=utf-8', body: message, headers });
}
