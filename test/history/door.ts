/** A node as clients reach it: its ports are others after each start. */
export interface Door {
  readonly node: string;
  readonly read: string;
  readonly write: string;
  readonly manager: string;
}

/** `failed`: the answer says that nothing was done; `unknown`: nobody can say. */
export type Told<T> =
  { readonly kind: 'ok'; readonly answer: T } | { readonly kind: 'failed' | 'unknown'; readonly why: string };

/** Errors after which a request may have been done. Every other code promises that it was not. */
const UNKNOWN_CODES: ReadonlySet<string> = new Set(['WRITE_OUTCOME_UNKNOWN', 'JOURNAL_UNKNOWN', 'INTERNAL']);
/** Nobody took the connection. */
const NOT_SENT = new Set(['ECONNREFUSED']);

/** One POST with JSON, in and out, given up after `patienceMs`. */
export async function post<T>(
  base: string,
  path: string,
  options: { readonly body: object; readonly headers?: Record<string, string>; readonly patienceMs: number },
): Promise<Told<T>> {
  try {
    const answer = await fetch(new URL(path, base), {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...options.headers },
      body: JSON.stringify(options.body),
      signal: AbortSignal.timeout(options.patienceMs),
    });
    const text = await answer.text();
    if (answer.ok) return { kind: 'ok', answer: JSON.parse(text) as T };
    const why = answer.headers.get('trough-error') ?? `HTTP ${String(answer.status)}`;
    return { kind: UNKNOWN_CODES.has(why) || why.startsWith('HTTP') ? 'unknown' : 'failed', why };
  } catch (error) {
    const why = codeOf(error);
    return { kind: NOT_SENT.has(why) ? 'failed' : 'unknown', why };
  }
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause: unknown = error.cause;
  if (cause instanceof Error && 'code' in cause) return String(cause.code);
  return error.name === 'TimeoutError' ? 'no answer' : error.message;
}
