import { describe, expect, it } from 'vitest';
import { TroughError } from '../../../src/errors.ts';
import { type HttpHandler } from '../../../src/http/exchange.ts';
import { managerRoutes } from '../../../src/http/manager-routes.ts';
import { readRoutes } from '../../../src/http/read-routes.ts';
import { writeRoutes } from '../../../src/http/write-routes.ts';
import { V1_ROUTES, type V1Route } from '../../../src/messages/http-routes.ts';
import { ask, fakeControl, fakeReports, noChanges, log, serve } from './fixture.ts';

interface Operation {
  readonly operationId: string;
  readonly 'x-trough-port': string;
  readonly requestBody?: {
    readonly content: { readonly 'application/json': { readonly schema: Record<string, unknown> } };
  };
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

const refuse = (): Promise<never> => Promise.reject(new TroughError('STOPPING', 'reached'));
const refuseNow = (): never => {
  throw new TroughError('STOPPING', 'reached');
};
const verbs = {
  provision: refuse,
  promote: refuse,
  release: refuse,
  moveWriter: refuse,
  shred: refuse,
  segments: refuse,
  segment: refuse,
  status: refuse,
  plan: refuse,
  drain: refuse,
  rule: refuse,
  coldCheck: refuse,
  rebuild: refuse,
};
const PORTS: Readonly<Record<string, HttpHandler>> = {
  read: readRoutes({
    read: refuse,
    reports: fakeReports({ segment: refuse, slow: refuseNow }),
    changes: noChanges,
    log,
  }),
  write: writeRoutes({ write: refuse, node: 'n1', log }),
  manager: managerRoutes({ control: fakeControl(verbs), log }),
};
const BODIES: Readonly<Record<string, string>> = {
  query: '{"sql":"q"}',
  write: '{"script":"q"}',
  drain: '{"node":"n"}',
  undrain: '{"node":"n"}',
  moveWriter: '{"node":"n"}',
  setRule: '{"copies":2}',
};

const QUERIES: Readonly<Record<string, string>> = { matchingChanges: '?matching=.' };

async function documentOf(handler: HttpHandler): Promise<Document> {
  await using server = await serve(handler);
  const got = await ask(server, '/v1/openapi.json', { method: 'GET' });
  expect([got.status, got.headers['content-type']]).toEqual([200, 'application/json']);
  return JSON.parse(got.body) as Document;
}

describe('the OpenAPI document', () => {
  it('is the same on every port and holds each route of the table, and no other', async () => {
    const documents = await Promise.all(Object.values(PORTS).map(documentOf));
    const [document] = documents;
    for (const other of documents) expect(other).toEqual(document);
    const inDocument = Object.entries(document?.paths ?? {}).flatMap(([path, methods]) =>
      Object.entries(methods).map(
        ([method, operation]) => `${operation['x-trough-port']} ${method} ${path} ${operation.operationId}`,
      ),
    );
    const inTable = Object.entries<V1Route>(V1_ROUTES).map(
      ([operationId, { port, method, path }]) => `${port} ${method.toLowerCase()} ${path} ${operationId}`,
    );
    expect(inDocument.sort()).toEqual(inTable.sort());
  });

  it.each(Object.entries<V1Route>(V1_ROUTES))(
    'lists %s where a server answers it',
    async (operation, { port, method, path }) => {
      for (const [name, handler] of Object.entries(PORTS)) {
        await using server = await serve(handler);
        const target = path.replace('{segment}', 's1') + (QUERIES[operation] ?? '');
        const got = await ask(server, target, { method, body: BODIES[operation] ?? '' });
        if (port === 'every') expect(got.status).toBe(200);
        else if (port === name) expect(got.headers['trough-error']).toBe('STOPPING');
        else expect(['ROUTE_UNKNOWN', 'METHOD_NOT_ALLOWED']).toContain(got.headers['trough-error']);
      }
    },
  );

  it('describes the body of a query by the schema that checks it', async () => {
    const { paths } = await documentOf(PORTS['read'] as HttpHandler);
    const schema = paths['/v1/segments/{segment}/query']?.['post']?.requestBody?.content['application/json'].schema;
    expect(schema).toMatchObject({ type: 'object', required: ['sql'], additionalProperties: false });
    expect(Object.keys(schema?.['properties'] as object)).toEqual([
      'sql',
      'params',
      'deadlineMs',
      'consistency',
      'maxRows',
      'format',
    ]);
    expect(JSON.stringify(schema)).toContain('"format":"int64"');
  });
});
