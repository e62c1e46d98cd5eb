import { STATUS_CODES } from 'node:http';

/** Whether another try may help: `no`, `again` where it was, or `elsewhere` at another name node. */
export type Retry = 'no' | 'again' | 'elsewhere';

const AGAIN: ReadonlySet<string> = new Set([
  ...['SafeModeException', 'RetriableException', 'EOFException', 'ConnectException', 'SocketTimeoutException'],
  ...[
    'RecoveryInProgressException',
    'AlreadyBeingCreatedException',
    'NoRouteToHostException',
    'ServerTooBusyException',
  ],
]);
/** What the plain IOExceptions say that pass. */
const AGAIN_BY_TEXT = /Failed to find datanode|minReplication nodes|All datanodes .* are bad|Zero blocklocations/;

/** What went wrong between us and HDFS. Stays within this folder: what leaves it is COLD_FAILED. */
export class HdfsProblem extends Error {
  override readonly name = 'HdfsProblem';
  readonly retry: Retry;
  /** The request may have been carried out all the same. */
  readonly unknown: boolean;
  /** The class that HDFS names, without its package. */
  readonly exception: string | undefined;
  readonly status: number | undefined;
  readonly torn: boolean;
  /** It was tried again as often as it may be: who tries a longer stretch of work again does not do so for this. */
  spent = false;

  private constructor(
    message: string,
    told: Pick<HdfsProblem, 'retry' | 'unknown'> & { exception?: string; status?: number; torn?: true },
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.retry = told.retry;
    this.unknown = told.unknown;
    this.exception = told.exception;
    this.status = told.status;
    this.torn = told.torn ?? false;
  }

  /** No answer: refused, reset, timed out, broken off. */
  static noAnswer(doing: string, reason: unknown): HdfsProblem {
    const errno = reason instanceof Error && 'code' in reason ? String(reason.code) : undefined;
    const message = `${doing}: ${reason instanceof Error ? reason.message : String(reason)}`;
    const unknown = errno !== 'ECONNREFUSED' && errno !== 'ENOTFOUND' && errno !== 'EAI_AGAIN';
    return new HdfsProblem(message, { retry: 'elsewhere', unknown }, reason);
  }

  /** An answer that is not what was asked for: a RemoteException in its body, or anything else. */
  static answered(doing: string, status: number, body: Buffer): HdfsProblem {
    const remote = readRemoteException(body);
    if (remote === undefined) {
      const text = body
        .toString('utf8', 0, 200)
        .replaceAll(/<[^>]*>|\s+/g, ' ')
        .trim();
      // Neither a success that is none nor an answer that was cut short on its way says anything.
      const saysNothing = status < 400 || text.startsWith('{');
      const isBusy = status >= 500 || status === 408 || status === 429;
      const retry = isBusy ? 'elsewhere' : saysNothing ? 'again' : 'no';
      const message = `${doing}: ${String(status)} ${STATUS_CODES[status] ?? ''}${text === '' ? '' : ` (${text})`}`;
      return new HdfsProblem(message, { retry, unknown: status >= 500 || saysNothing, status });
    }
    const { exception, message } = remote;
    const told = { exception, status, unknown: false };
    const text = `${doing}: ${exception}: ${message}`;
    if (exception === 'StandbyException') return new HdfsProblem(text, { ...told, retry: 'elsewhere' });
    const again = AGAIN.has(exception) || (exception.endsWith('IOException') && AGAIN_BY_TEXT.test(message));
    return new HdfsProblem(text, { ...told, retry: again ? 'again' : 'no' });
  }

  /** An answer of success that cannot be true. */
  static untrue(message: string): HdfsProblem {
    return new HdfsProblem(message, { retry: 'again', unknown: true });
  }

  /** What arrived is not what was sent. */
  static torn(message: string): HdfsProblem {
    return new HdfsProblem(message, { retry: 'again', unknown: false, torn: true });
  }

  /** HDFS itself says that there is no such file; a 404 of a gateway or a proxy says nothing of files. */
  get missing(): boolean {
    return this.status === 404 && this.exception === 'FileNotFoundException';
  }
}

function readRemoteException(body: Buffer): { exception: string; message: string } | undefined {
  try {
    const { RemoteException: told } = JSON.parse(body.toString('utf8')) as {
      RemoteException?: { exception?: unknown; message?: unknown };
    };
    if (typeof told?.exception !== 'string') return undefined;
    // What a data node says carries a Java stack trace.
    const [message = ''] = typeof told.message === 'string' ? told.message.split('\n') : [];
    return { exception: told.exception, message };
  } catch {
    return undefined;
  }
}
