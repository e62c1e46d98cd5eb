import { TroughError } from '../../src/errors.ts';

export interface CallOptions {
  /** Default POST with a body, else GET. */
  readonly method?: string;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is. */
  readonly body?: string | ReadableStream<Uint8Array>;
}

/** What came back, an error included: a status, the code of the error, and the text in which a person finds the reason. */
export interface CallAnswer {
  readonly status: number;
  readonly code: string | undefined;
  readonly type: string;
  readonly text: string;
}

/** One request as any client would make it. On `/v1` the code in the body must be that of the header. */
export async function httpCall(base: string | undefined, path: string, options: CallOptions = {}): Promise<CallAnswer> {
  const { json } = options;
  const body = json === undefined ? options.body : JSON.stringify(json);
  const response = await fetch(new URL(path, base), {
    method: options.method ?? (body === undefined ? 'GET' : 'POST'),
    ...(body === undefined ? {} : { body, duplex: 'half' }),
    ...(json === undefined ? {} : { headers: { 'content-type': 'application/json' } }),
  });
  const text = await response.text();
  const code = response.headers.get('trough-error') ?? undefined;
  const type = response.headers.get('content-type') ?? '';
  if (path.startsWith('v1/') && !response.ok) demandErrorObject(text, code);
  return { status: response.status, code, type, text };
}

function demandErrorObject(text: string, code: string | undefined): void {
  const { error } = JSON.parse(text) as { error: { code: string; message: string } };
  if (error.code !== code || error.message === '' || TroughError.fromRecord(error).code !== error.code)
    throw new Error(`not an error as /v1 has them: ${text}`);
}
