import { type Command } from 'commander';
import { parseSegmentId } from '../../model/segment-id.ts';
import { TroughError } from '../../errors.ts';
import { Client, type ClientUrls, type Face } from '../client.ts';
import { type CliContext } from '../context.ts';
import { UsageError } from '../usage-error.ts';

/** What a verb is given when it is added to the program. */
export interface Verbs {
  readonly context: CliContext;
  readonly outcome: { code: number };
}

export type UrlOptions = Readonly<Partial<Record<'readUrl' | 'writeUrl' | 'managerUrl', string>>>;

const DEFAULTS: ClientUrls = {
  read: 'http://127.0.0.1:6444',
  write: 'http://127.0.0.1:6222',
  manager: 'http://127.0.0.1:6111',
};

const ROLE_OF = { read: 'reader', write: 'writer', manager: 'sync-master' };

/** Long enough for anything that is not a copy of a large file. */
export const MANAGE_TIMEOUT_MS = 120_000;
/** A segment of many gigabytes takes its time to cold storage. */
export const COPY_TIMEOUT_MS = 6 * 3_600_000;

export function addUrls(command: Command, faces: readonly Face[]): Command {
  for (const face of faces) {
    command.option(
      `--${face}-url <URL>`,
      `address of a ${ROLE_OF[face]} [${DEFAULTS[face]}; TROUGH_${face.toUpperCase()}_URL]`,
    );
  }
  return command;
}

export function clientFor({ host }: CliContext, options: UrlOptions, parallel = 1): Client {
  const pick = (face: Face): string => {
    const variable = `TROUGH_${face.toUpperCase()}_URL`;
    const url = options[`${face}Url`] ?? (host.env[variable] === '' ? undefined : host.env[variable]) ?? DEFAULTS[face];
    if (!URL.canParse(url) || !/^https?:/.test(url))
      throw new UsageError(`'${url}' is not an http:// address (--${face}-url, ${variable})`);
    return url;
  };
  return new Client({ read: pick('read'), write: pick('write'), manager: pick('manager') }, parallel);
}

/** The path of a segment's routes; UsageError for what cannot be an id. */
export function segmentPath(id: string, route = ''): string {
  return `/v1/segments/${encodeURIComponent(parseOption('SEGMENT', id, parseSegmentId))}${route}`;
}

/** Makes what a parser of the model throws a usage error, with the option's name in front. */
export function parseOption<T>(name: string, raw: string, parse: (raw: string) => T): T {
  try {
    return parse(raw);
  } catch (error) {
    const known = TroughError.from(error);
    throw new UsageError(`${name}: ${known.message}`, known.code === 'INTERNAL' ? 'REQUEST_INVALID' : known.code);
  }
}

export function wholeNumber(name: string, least = 1): (raw: string) => number {
  return (raw) => {
    const value = Number(raw);
    if (/^\d+$/.test(raw) && Number.isSafeInteger(value) && value >= least) return value;
    throw new UsageError(`${name}: '${raw}' is not a whole number from ${String(least)} on`);
  };
}

/** The argument itself, or all of standard input when it is `-`. */
export async function argumentOrStdin(argument: string, stdin: AsyncIterable<Uint8Array>): Promise<string> {
  if (argument !== '-') return argument;
  const chunks: Uint8Array[] = [];
  for await (const chunk of stdin) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
