import { type Engine } from '../../engine/engine.ts';
import { TroughError } from '../../errors.ts';
import { type ClusterView } from '../../messages/cluster-view.ts';
import { type SchemaAnswer, type SchemaRequest } from '../../messages/control.ts';
import { decodeDocument, encodeDocument, SchemaDocument } from '../../messages/documents.ts';
import { keys } from '../../messages/keys.ts';
import { type MetadataStore } from '../../metadata/metadata-store.ts';
import { type Actor } from '../../runtime/actor.ts';
import { type Reply, replyWith } from '../../runtime/ask.ts';
import { type Clock } from '../../runtime/clock.ts';
import { withDeadline } from '../../runtime/deadline.ts';
import { changeDocument } from '../shared/change-document.ts';

export interface SchemaMessage {
  readonly kind: 'schema';
  readonly request: SchemaRequest;
  readonly reply: Reply<SchemaAnswer>;
}

export interface SchemaRegistryDeps {
  readonly store: MetadataStore;
  readonly view: ClusterView;
  readonly engine: Engine;
  readonly clock: Clock;
}

export const DEFAULT_SCHEMA: SchemaDocument = { id: 'default', sql: '' };
const MOST_ID_CHARACTERS = 200;
const STORE_DEADLINE_MS = 10_000;

/** The named scripts that new segments start from. A schema is run on an empty database before it is kept. */
export class SchemaRegistry implements Actor<SchemaMessage> {
  readonly name = 'schema-registry';
  readonly #deps: SchemaRegistryDeps;

  constructor(deps: SchemaRegistryDeps) {
    this.#deps = deps;
  }

  async receive({ request, reply }: SchemaMessage): Promise<void> {
    await replyWith(reply, this.#answer(request));
  }

  async #answer(request: SchemaRequest): Promise<SchemaAnswer> {
    switch (request.op) {
      case 'list': {
        const ids = new Set([DEFAULT_SCHEMA.id, ...this.#deps.view.schemaIds()]);
        return { op: 'list', ids: Array.from(ids).sort() };
      }
      case 'get': {
        const document = await readSchema(this.#deps, request.id);
        if (document === undefined)
          throw new TroughError('SCHEMA_UNKNOWN', `there is no schema '${request.id}'`, { schema: request.id });
        return { op: 'get', ...document };
      }
      case 'put':
        return { op: 'put', id: request.id, created: await this.#put(request) };
    }
  }

  /** True when the id is new. The last of several who change it at one moment wins. */
  async #put({ id, sql }: SchemaDocument): Promise<boolean> {
    if (id === '' || id.length > MOST_ID_CHARACTERS) {
      throw new TroughError('REQUEST_INVALID', `a schema id has 1 to ${String(MOST_ID_CHARACTERS)} characters`);
    }
    await this.#deps.engine.checkSchema(sql);
    // A provision right after the answer uses what was put.
    const outcome = await changeDocument(this.#deps, keys.schema(id), () => encodeDocument({ id, sql }));
    return outcome === 'created' && id !== DEFAULT_SCHEMA.id;
  }
}

/** The schema; `default` is there without being written. One that the view does not have is looked for in the store. */
export async function readSchema(
  { store, view, clock }: Pick<SchemaRegistryDeps, 'store' | 'view' | 'clock'>,
  id: string,
): Promise<SchemaDocument | undefined> {
  const seen = view.schema(id) ?? (id === DEFAULT_SCHEMA.id ? DEFAULT_SCHEMA : undefined);
  if (seen !== undefined) return seen;
  const key = keys.schema(id);
  const entry = await withDeadline(clock, STORE_DEADLINE_MS, (signal) => store.get(key, signal));
  return entry === undefined ? undefined : decodeDocument(SchemaDocument, key, entry.value);
}
