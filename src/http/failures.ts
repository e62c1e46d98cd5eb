import { TroughError } from '../errors.ts';
import { type Log } from '../log.ts';

/**
 * Any thrown value as what a client may see, logged where someone must or may look. A value that is no TroughError is a fault of ours:
 * the client learns that there was one, the log has the rest.
 */
export function reportFailure(thrown: unknown, log: Log): TroughError {
  if (!(thrown instanceof TroughError)) {
    log.error({ err: thrown }, 'a request met a fault');
    return new TroughError('INTERNAL', 'internal error', {}, thrown);
  }
  if (thrown.kind === 'broken')
    log.warn({ err: thrown, code: thrown.code, context: thrown.context }, 'a request failed');
  else log.debug({ code: thrown.code, reason: thrown.message }, 'a request was refused');
  return thrown;
}
