import {
  ErrorCode,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  NatsError,
  createInbox,
  headers as makeHeaders,
} from 'nats';
import { TroughError } from '../errors.ts';
import { type Log } from '../log.ts';
import { type BusHeaders, type BusStatus } from './bus.ts';
import { type NatsLink } from './nats-connection.ts';
import { type Listening, type Wire, type WireMessage } from './wire.ts';

/** Core NATS as a wire. */
export class NatsWire implements Wire {
  readonly #link: NatsLink;
  readonly #connection: NatsConnection;
  readonly #log: Log;
  readonly inbox: string = createInbox();

  constructor(link: NatsLink, log: Log) {
    this.#link = link;
    this.#connection = link.connection;
    this.#log = log;
  }

  get status(): BusStatus {
    return this.#link.status;
  }

  onStatus(hear: (status: BusStatus) => void): () => void {
    return this.#link.onStatus(hear);
  }

  send(subject: string, body: Uint8Array, headers?: BusHeaders, reply = ''): void {
    if (this.#connection.isClosed() || this.#connection.isDraining()) return; // As lost as on a dropped connection.
    try {
      this.#connection.publish(
        subject,
        body,
        headers === undefined ? { reply } : { reply, headers: encodeHeaders(headers) },
      );
    } catch (error) {
      throw sendError(subject, body, error);
    }
  }

  listen(subject: string, group: string | undefined, hear: (message: WireMessage) => void): Listening {
    const subscription = this.#connection.subscribe(subject, {
      ...(group === undefined ? {} : { queue: group }),
      callback: (error, message) => {
        if (error === null) hear(new NatsWireMessage(message));
        else this.#log.error({ subject, err: error }, 'subscription refused by NATS');
      },
    });
    return {
      stop: () => {
        if (!this.#connection.isClosed()) subscription.unsubscribe();
      },
      drain: async () => {
        if (this.#connection.isClosed() || subscription.isClosed()) return;
        try {
          await subscription.drain();
        } catch (error) {
          this.#log.debug({ subject, err: error }, 'subscription ended while it was drained');
        }
      },
    };
  }

  async flush(): Promise<void> {
    try {
      await this.#connection.flush();
    } catch (error) {
      throw new TroughError('BUS_UNREACHABLE', 'the connection dropped before everything was sent', {}, error);
    }
  }
}

/** Decodes of a message only what is asked for. */
class NatsWireMessage implements WireMessage {
  readonly #message: Msg;
  #headers: BusHeaders | undefined;

  constructor(message: Msg) {
    this.#message = message;
  }

  get subject(): string {
    return this.#message.subject;
  }

  get reply(): string {
    return this.#message.reply ?? '';
  }

  get body(): Uint8Array {
    return this.#message.data;
  }

  get headers(): BusHeaders {
    this.#headers ??= decodeHeaders(this.#message.headers);
    return this.#headers;
  }

  get noResponders(): boolean {
    return this.#message.data.length === 0 && this.#message.headers?.code === 503;
  }
}

function encodeHeaders(headers: BusHeaders): MsgHdrs {
  const encoded = makeHeaders();
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined) encoded.append(name, value);
  }
  return encoded;
}

function decodeHeaders(encoded: MsgHdrs | undefined): BusHeaders {
  const headers: Record<string, string> = {};
  if (encoded === undefined) return headers;
  for (const [name, [value]] of encoded) {
    if (value !== undefined) headers[name] = value;
  }
  return headers;
}

function sendError(subject: string, body: Uint8Array, error: unknown): TroughError {
  if (error instanceof NatsError && error.code === (ErrorCode.MaxPayloadExceeded as string)) {
    const sizeBytes = body.length;
    return new TroughError('REQUEST_TOO_LARGE', 'the message is larger than NATS takes', { subject, sizeBytes }, error);
  }
  return new TroughError('REQUEST_INVALID', `the message to ${subject} cannot be sent`, { subject }, error);
}
