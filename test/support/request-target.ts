import { connect } from 'nats';
import { provision, readFrom, writeTo } from './api.ts';
import { type CallAnswer, type CallOptions, httpCall } from './http-call.ts';
import { tempDir } from './temp-dir.ts';
import { clientEnv, trough, type TroughRun, verb } from './trough-process.ts';

type Call = (path: string, options?: CallOptions) => Promise<CallAnswer>;

/** One running trough with one segment, `KNOWN`, asked through every face. */
export interface RequestTarget extends AsyncDisposable {
  readonly run: TroughRun;
  readonly read: Call;
  readonly write: Call;
  readonly manager: Call;
  readonly syncLocal: Call;
  /** From a plain NATS client, by the subject without its first token; status and code come from the headers. */
  readonly overNats: (subject: string, body: unknown) => Promise<CallAnswer>;
  readonly cli: (...args: string[]) => ReturnType<typeof verb>;
  /** The table `t (a)` of the known segment, and the names of its tables. */
  readonly contents: () => Promise<unknown>;
}

export const KNOWN = 'known';
export const KNOWN_CONTENTS = { rows: [{ a: 1 }], tables: [{ name: 't' }] };
const NATS_TIMEOUT_MS = 20_000;

export async function requestTarget(...args: string[]): Promise<RequestTarget> {
  const dir = await tempDir();
  const run = await trough({ data: `${dir.path}/data`, args });
  const { urls } = run.ready;
  const nats = await connect({ servers: urls.nats });
  const { writeUrl } = await provision(run, KNOWN);
  await writeTo(writeUrl, 'create table t (a); insert into t values (1)');
  return {
    run,
    read: (path, options) => httpCall(urls.read, path, options),
    write: (path, options) => httpCall(urls.write, path, options),
    manager: (path, options) => httpCall(urls.syncMaster, path, options),
    syncLocal: (path, options) => httpCall(urls.syncLocal, path, options),
    overNats: async (subject, body) => {
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      const answer = await nats.request(`trough.${subject}`, text, { timeout: NATS_TIMEOUT_MS });
      const header = (name: string): string | undefined => answer.headers?.get(name) || undefined;
      const status = Number(header('Trough-Status'));
      return { status, code: header('Trough-Error'), type: '', text: answer.string() };
    },
    cli: (...words) => verb(words, { env: clientEnv(run) }),
    contents: async () => ({
      rows: await readFrom(run, KNOWN, 'select a from t'),
      tables: await readFrom(run, KNOWN, 'select name from sqlite_master'),
    }),
    [Symbol.asyncDispose]: async () => {
      await nats.close();
      await run[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

/** A write of one statement, as `/v1` takes it. */
export function statement(sql: string): CallOptions {
  return { json: { statements: [{ sql }] } };
}
