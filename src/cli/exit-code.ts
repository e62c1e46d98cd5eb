import { unreachable, type TroughError } from '../errors.ts';

export const EXIT = { ok: 0, failed: 1, usage: 2, missing: 3, busy: 4 } as const;
/** As shells have it: 128 and the signal's number. */
export const SIGNAL_EXIT = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

export const EXIT_CODES_HELP = `Exit codes:
  0  done
  1  failed
  2  wrong usage or settings
  3  there is no such segment or schema
  4  busy or not reachable: try again`;

export function exitCodeOf(error: TroughError): number {
  switch (error.kind) {
    case 'missing':
      return EXIT.missing;
    case 'busy':
    case 'crowded':
      return EXIT.busy;
    case 'input':
    case 'large':
    case 'conflict':
    case 'late':
    case 'unknown':
    case 'broken':
      return EXIT.failed;
    default:
      return unreachable(error.kind);
  }
}
