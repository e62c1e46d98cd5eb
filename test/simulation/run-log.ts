import { createHash } from 'node:crypto';
import { TroughError } from '../../src/errors.ts';
import { type Log, type LogLevel } from '../../src/log.ts';

/** What happened in a run, a line each, with its time: the same for the same seed, byte for byte. */
export class RunLog {
  readonly lines: string[] = [];
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  say(who: string, what: string, fields?: object): void {
    const rest = fields === undefined ? '' : ` ${describe(fields)}`;
    this.lines.push(`${(this.#now() / 1000).toFixed(3).padStart(9)} ${who.padEnd(8)} ${what}${rest}`);
  }

  /** The log of one process, written here. */
  logOf(who: string): Log {
    const write =
      (level: LogLevel) =>
      (first: unknown, second?: unknown): void => {
        const fields = typeof first === 'object' && first !== null ? first : undefined;
        this.say(who, `${level}: ${String(fields === undefined ? first : second)}`, fields);
      };
    const log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
    return log as unknown as Log;
  }

  get hash(): string {
    return createHash('sha256').update(this.lines.join('\n')).digest('hex');
  }
}

function describe(fields: object): string {
  return Object.entries(fields)
    .map(([key, value]) => `${key}=${brief(value)}`)
    .join(' ');
}

function brief(value: unknown): string {
  if (value instanceof TroughError) {
    const cause = value.cause === undefined ? '' : ` (${brief(value.cause)})`;
    return `${value.code} "${value.message}"${cause}`;
  }
  if (value instanceof Error) return `${value.name} "${value.message}"`;
  return typeof value === 'string' ? value : JSON.stringify(value);
}
