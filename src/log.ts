import { pino, type Logger } from 'pino';

/** Log lines are JSON on stderr: fields first, one fixed sentence second. `warn`: someone may look; `error`: someone must. */
export type Log = Logger;
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

const REDACTED = ['password', 'token', '*.password', '*.token', 'headers.authorization'];

export function createLog(level: LogLevel, fields: Readonly<Record<string, string>> = {}): Log {
  return pino({ level, base: fields, redact: REDACTED }, pino.destination({ fd: 2, sync: true }));
}

/** A log that says nothing: for tests and for the short-lived commands of the command line. */
export const silentLog: Log = pino({ level: 'silent' });
