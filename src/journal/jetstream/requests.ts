import { Events, type Msg, type MsgHdrs, type NatsConnection, type Subscription, createInbox } from 'nats';

export type Answer =
  | { readonly kind: 'answer'; readonly message: Msg }
  /** `arrived: false`: nobody can have received the request. */
  | { readonly kind: 'none'; readonly reason: string; readonly arrived: boolean };

type Hear = (message: Msg) => void;
interface Waiting {
  readonly hear: Hear;
  /** Called when no answer can come any more. */
  readonly end: (reason: string) => void;
}

/**
 * Requests over one inbox. Unlike the client's own they end at once when the connection is lost (an answer cannot come any more), are not
 * sent while there is no connection, and may be answered by many messages.
 */
export class Requests implements Disposable {
  readonly connection: NatsConnection;
  readonly #inbox: string;
  readonly #subscription: Subscription;
  readonly #waiting = new Map<string, Waiting>();
  readonly #listeners = new Set<() => void>();
  #connected: boolean;
  #closed = false;
  #next = 0;

  constructor(connection: NatsConnection) {
    this.connection = connection;
    this.#connected = !connection.isClosed();
    this.#inbox = `${createInbox()}.`;
    this.#subscription = connection.subscribe(`${this.#inbox}*`, {
      callback: (error, message) => {
        if (error === null) this.#waiting.get(message.subject.slice(this.#inbox.length))?.hear(message);
      },
    });
    void this.#watch();
  }

  get connected(): boolean {
    return this.#connected && !this.connection.isClosed();
  }

  /** Called when the connection is there again; returns the function that ends it. */
  onConnect(run: () => void): () => void {
    this.#listeners.add(run);
    return () => {
      this.#listeners.delete(run);
    };
  }

  /** One answer. */
  ask(subject: string, body: Uint8Array | string, timeoutMs: number, headers?: MsgHdrs): Promise<Answer> {
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined = undefined;
      const done = (answer: Answer): void => {
        clearTimeout(timer);
        stop();
        resolve(answer);
      };
      const nobody: Answer = { kind: 'none', reason: 'nobody listens', arrived: false };
      const stop = this.open(
        subject,
        body,
        {
          hear: (message) => {
            done(isNobody(message) ? nobody : { kind: 'answer', message });
          },
          end: (reason, arrived = true) => {
            done({ kind: 'none', reason, arrived });
          },
        },
        headers,
      );
      timer = setTimeout(() => {
        done({ kind: 'none', reason: `no answer within ${String(timeoutMs)} ms`, arrived: true });
      }, timeoutMs);
    });
  }

  /** Many answers, until the returned function is called or no more can come. */
  open(
    subject: string,
    body: Uint8Array | string,
    waiting: { hear: Hear; end: (reason: string, arrived?: boolean) => void },
    headers?: MsgHdrs,
  ): () => void {
    this.#next += 1;
    const token = this.#next.toString(36);
    const stop = (): void => {
      this.#waiting.delete(token);
    };
    const failed = this.tell(subject, body, headers, this.#inbox + token);
    if (failed === undefined) this.#waiting.set(token, waiting);
    else
      queueMicrotask(() => {
        waiting.end(failed, false);
      });
    return stop;
  }

  /** Without an answer of its own. Returns why it was not sent. */
  tell(subject: string, body: Uint8Array | string, headers?: MsgHdrs, reply?: string): string | undefined {
    if (!this.connected || this.#closed) return 'no connection to NATS';
    try {
      this.connection.publish(subject, body, {
        ...(headers === undefined ? {} : { headers }),
        ...(reply === undefined ? {} : { reply }),
      });
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#endAll('closed');
    if (!this.connection.isClosed()) this.#subscription.unsubscribe();
  }

  async #watch(): Promise<void> {
    for await (const { type } of this.connection.status()) {
      if (this.#closed) return;
      if (type === Events.Disconnect) {
        this.#connected = false;
        this.#endAll('the connection to NATS was lost');
      } else if (type === Events.Reconnect) {
        this.#connected = true;
        for (const run of [...this.#listeners]) run();
      }
    }
  }

  #endAll(reason: string): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { end } of waiting) end(reason);
  }
}

/** What the server itself says when there is no subscriber. */
export function isNobody(message: Msg): boolean {
  return message.data.length === 0 && message.headers?.code === 503;
}
