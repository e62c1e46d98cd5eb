import { type ErrorContext, TroughError } from '../errors.ts';

/** What a statement gets that needed more memory than its process may take, whether SQLite, V8 or the end of the process said so. */
export function outOfMemory(context: ErrorContext = {}, cause?: unknown): TroughError {
  const message = 'it needs more memory than a process may take, see the setting engineMemory';
  return new TroughError('ENGINE_MEMORY', message, { ...context, setting: 'engineMemory' }, cause);
}
