import { TroughError, type ErrorCode } from '../errors.ts';

/** The command line or the settings are wrong: nothing was done. */
export class UsageError extends TroughError {
  constructor(message: string, code: ErrorCode = 'REQUEST_INVALID') {
    super(code, message);
  }
}
