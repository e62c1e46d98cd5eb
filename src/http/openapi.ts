import { z } from 'zod';
import { ErrorReply } from '../messages/http-api.ts';
import { V1_ROUTES, type V1Route } from '../messages/http-routes.ts';

type JsonObject = Record<string, unknown>;

let text: string | undefined;

/** The OpenAPI 3.1 document of all `/v1` routes, whichever port serves them; made once, from the schemas that check the requests. */
export function openApiText(): string {
  text ??= `${JSON.stringify(openApiDocument(), null, 2)}\n`;
  return text;
}

function openApiDocument(): JsonObject {
  const paths: Record<string, JsonObject> = {};
  for (const [operationId, route] of Object.entries<V1Route>(V1_ROUTES)) {
    const path = (paths[route.path] ??= {});
    path[route.method.toLowerCase()] = operation(operationId, route);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'trough',
      version: '1',
      description:
        'Each route is served on the port that `x-trough-port` names: read, write, manager (both managers) or every.',
    },
    paths,
    components: { schemas: { Error: jsonSchema(ErrorReply, 'output') } },
  };
}

function operation(operationId: string, route: V1Route): JsonObject {
  const body = route.body === undefined ? {} : { requestBody: requestBody(route.body, route.bodyOptional !== true) };
  return {
    operationId,
    summary: route.summary,
    'x-trough-port': route.port,
    parameters: [...pathParameters(route), ...urlParameters(route)],
    ...body,
    responses: { ...success(route), default: error() },
  };
}

function requestBody(schema: z.ZodType, required: boolean): JsonObject {
  return { required, content: { 'application/json': { schema: jsonSchema(schema, 'input') } } };
}

function success(route: V1Route): JsonObject {
  if (route.answer === undefined) return { 204: { description: 'Done.' } };
  const content: JsonObject = { 'application/json': { schema: jsonSchema(route.answer, 'output') } };
  for (const type of route.alsoAs ?? []) content[type] = { schema: { type: 'string' } };
  return { 200: { description: 'Done.', content } };
}

function error(): JsonObject {
  return {
    description:
      '400 bad input, 404 unknown, 405 wrong method, 409 conflict, 413 too large, 429 too much for one segment (with Retry-After), 500 broken, 503 busy (with Retry-After), 504 deadline.',
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
  };
}

function pathParameters(route: V1Route): JsonObject[] {
  if (!route.path.includes('{segment}')) return [];
  return [
    { name: 'segment', in: 'path', required: true, description: 'The id of the segment.', schema: { type: 'string' } },
  ];
}

function urlParameters(route: V1Route): JsonObject[] {
  if (route.parameters === undefined) return [];
  const { properties, required = [] } = jsonSchema(route.parameters, 'input');
  return Object.entries(properties as JsonObject).map(([name, schema]) => ({
    name,
    in: 'query',
    required: (required as string[]).includes(name),
    schema,
  }));
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): JsonObject {
  const made = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema: part }) => {
      if (zodSchema._zod.def.type === 'bigint') Object.assign(part, { type: 'integer', format: 'int64' });
    },
  });
  delete made.$schema;
  return { ...made };
}
