import { TroughError } from '../errors.ts';
import { NOTHING } from './answer-protocol.ts';
import { type BusHeaders, type BusStatus } from './bus.ts';
import { matchesSubject } from './subject-match.ts';
import { type Listening, type Wire, type WireMessage } from './wire.ts';

/** Decides when a message is delivered: at once, by running `deliver` later, or never. */
export type Carry = (message: WireMessage, deliver: () => void) => void;

export interface MemoryHubOptions {
  /** Default: as soon as the sender's own step has ended, in the order of sending. */
  readonly carry?: Carry;
}

/** As the default limit of a NATS server. */
const MOST_BYTES = 1024 * 1024;

interface Listener {
  readonly tokens: readonly string[];
  readonly group: string | undefined;
  readonly wire: MemoryWire;
  readonly hear: (message: WireMessage) => void;
}

/** The server of the buses in memory: matches subjects, shares requests within a group, says when nobody listens. */
export class MemoryHub {
  readonly #listeners = new Set<Listener>();
  /** How many messages each group has had. */
  readonly #turns = new Map<string, number>();
  #wires = 0;
  /** May be replaced while it runs: how tests delay, drop and reorder. */
  carry: Carry;

  constructor(options: MemoryHubOptions = {}) {
    this.carry = options.carry ?? queue;
  }

  plug(): MemoryWire {
    this.#wires += 1;
    return new MemoryWire(this, `_INBOX.memory${String(this.#wires)}`);
  }

  /** Called by wires. */
  route(message: WireMessage): void {
    this.carry(message, () => {
      this.#deliver(message);
    });
  }

  /** Called by wires. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  #deliver(message: WireMessage): void {
    const tokens = message.subject.split('.');
    const all = [...this.#listeners].filter(
      (one) => one.wire.status === 'connected' && matchesSubject(one.tokens, tokens),
    );
    const groups = Map.groupBy(all, ({ group }) => group);
    for (const [group, members] of groups) {
      for (const { hear } of group === undefined ? members : this.#choose(group, members)) hear(message);
    }
    if (all.length === 0 && message.reply !== '') {
      this.route({ subject: message.reply, reply: '', body: NOTHING, headers: {}, noResponders: true });
    }
  }

  /** One member of the group, in turn. */
  #choose(group: string, members: readonly Listener[]): readonly Listener[] {
    const turn = this.#turns.get(group) ?? 0;
    this.#turns.set(group, turn + 1);
    const at = turn % members.length;
    return members.slice(at, at + 1);
  }
}

/** One connection to the hub. */
export class MemoryWire implements Wire {
  readonly inbox: string;
  readonly #hub: MemoryHub;
  readonly #hearers = new Set<(status: BusStatus) => void>();
  #status: BusStatus = 'connected';

  constructor(hub: MemoryHub, inbox: string) {
    this.#hub = hub;
    this.inbox = inbox;
  }

  get status(): BusStatus {
    return this.#status;
  }

  readonly setConnected = (connected: boolean): void => {
    const status = connected ? 'connected' : 'disconnected';
    if (status === this.#status) return;
    this.#status = status;
    for (const hear of this.#hearers) hear(status);
  };

  onStatus(hear: (status: BusStatus) => void): () => void {
    this.#hearers.add(hear);
    return () => {
      this.#hearers.delete(hear);
    };
  }

  send(subject: string, body: Uint8Array, headers: BusHeaders = {}, reply = ''): void {
    if (body.length > MOST_BYTES) {
      throw new TroughError('REQUEST_TOO_LARGE', 'the message is larger than the bus takes', {
        subject,
        sizeBytes: body.length,
      });
    }
    if (Object.values(headers).some((value) => /[\r\n]/.test(value))) {
      throw new TroughError('REQUEST_INVALID', `the message to ${subject} has a header of several lines`, { subject });
    }
    if (this.#status === 'connected') this.#hub.route({ subject, reply, body, headers, noResponders: false });
  }

  listen(subject: string, group: string | undefined, hear: (message: WireMessage) => void): Listening {
    const stop = this.#hub.listen({ tokens: subject.split('.'), group, wire: this, hear });
    return {
      stop,
      drain: () => {
        stop();
        return Promise.resolve();
      },
    };
  }

  flush(): Promise<void> {
    if (this.#status === 'connected') return Promise.resolve();
    return Promise.reject(new TroughError('BUS_UNREACHABLE', 'the connection dropped before everything was sent'));
  }
}

function queue(_message: WireMessage, deliver: () => void): void {
  queueMicrotask(deliver);
}
