import { formatExactJson } from '../../model/exact-json.ts';

export type TailFormat = 'ndjson' | 'text';

/** One item of an answer: a write, or something else that a reader of writes must know. */
export type TailChange = Readonly<Record<string, unknown>> & { readonly kind: string };

interface Statement {
  readonly sql: string;
  readonly params?: unknown;
}

/** How changes are printed. */
export class ChangeLines {
  readonly #format: TailFormat;

  constructor(format: TailFormat) {
    this.#format = format;
  }

  of(changes: readonly TailChange[]): string {
    return changes.map((change) => `${this.#format === 'ndjson' ? jsonLine(change) : textLine(change)}\n`).join('');
  }

  /** The last line: where to go on. */
  end(next: string): string {
    return this.#format === 'ndjson' ? `${JSON.stringify({ _trough: { summary: { next } } })}\n` : '';
  }
}

/** What is no write has the one key `_trough`. */
function jsonLine(change: TailChange): string {
  if (change.kind === 'write') return formatExactJson(change);
  const { kind, ...rest } = change;
  return formatExactJson({ _trough: { [kind]: rest } });
}

function textLine(change: TailChange): string {
  const { kind } = change;
  const head = `${text(change, 'segment')} ${text(change, 'sequence')}`;
  switch (kind) {
    case 'write': {
      const statements = change['statements'] as readonly Statement[];
      return `${head} ${text(change, 'at')} ${statements.map(statementText).join('; ')}`;
    }
    case 'created':
      return `${head} ${text(change, 'at')} -- created, with the schema '${text(change, 'schema')}'`;
    case 'based':
      return `${head} -- goes on from version ${text(change, 'version')} of cold storage`;
    case 'shredded':
      return `${head} -- shredded`;
    case 'gap':
      return `-- MISSING: ${text(change, 'message')}`;
    default:
      return `${head} -- ${kind}`;
  }
}

function statementText({ sql, params }: Statement): string {
  const indented = sql.replaceAll('\n', '\n  ');
  return params === undefined ? indented : `${indented} ${formatExactJson(params)}`;
}

function text(change: TailChange, key: string): string {
  const value = change[key];
  return typeof value === 'string' ? value : JSON.stringify(value ?? '-');
}
