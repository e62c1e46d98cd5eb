import { type BusHeaders, type BusStatus } from '../../src/bus/bus.ts';
import { type Listening, type Wire, type WireMessage } from '../../src/bus/wire.ts';
import { matchesSubject } from '../../src/bus/subject-match.ts';
import { TroughError } from '../../src/errors.ts';
import { type Random } from './random.ts';
import { type SimProcess } from './sim-process.ts';
import { type Timeline } from './timeline.ts';

/** What the network does to messages when nothing is cut; shares of all messages, 0 to 1. */
export interface NetworkWeather {
  readonly delayMs: number;
  /** A delay is longer than that now and then, by a factor. */
  readonly slow: number;
  readonly loss: number;
  readonly duplication: number;
  readonly reordering: number;
}

export const CALM: NetworkWeather = { delayMs: 1, slow: 0, loss: 0, duplication: 0, reordering: 0 };

interface Listener {
  readonly subject: string;
  readonly tokens: readonly string[];
  readonly group: string | undefined;
  readonly wire: SimWire;
  readonly hear: (message: WireMessage) => void;
}

/** Which way of a machine's connection to the server is cut. */
export interface Cut {
  readonly up: boolean;
  readonly down: boolean;
}

/** A cut connection is noticed by both ends after this. */
const NOTICED_AFTER_MS = 4_000;
const RECONNECT_MS = 500;
/** A request that is heard twice is one that was asked twice: writes of clients are not made for that. */
const ONCE = /\.(write|query)\./;

/** The server in the middle and the connections of all machines to it: matching of subjects, groups and "nobody listens" as NATS has them. */
export class SimNetwork {
  readonly #timeline: Timeline;
  readonly #random: Random;
  readonly #exact = new Map<string, Set<Listener>>();
  readonly #wild = new Set<Listener>();
  readonly #wires = new Set<SimWire>();
  readonly #cuts = new Map<string, Cut>();
  readonly #pairs = new Set<string>();
  readonly #lastAt = new Map<string, number>();
  readonly #hearers: (() => void)[] = [];
  readonly counts = { lost: 0, duplicated: 0, reordered: 0, slow: 0 };
  weather: NetworkWeather = CALM;
  #serial = 0;

  constructor(timeline: Timeline, random: Random) {
    this.#timeline = timeline;
    this.#random = random;
  }

  /** The connection of a process on a machine; open from now on unless the machine is cut off. */
  plug(machine: string, process: SimProcess): SimWire {
    this.#serial += 1;
    const wire = new SimWire(this, process, machine, `_INBOX.w${String(this.#serial)}`);
    this.#wires.add(wire);
    process.onDeath(() => {
      // The server learns that the other end is gone at once, or when it stops answering.
      const untilNoticed = this.#random.chance(0.7) ? this.#random.between(1, 50) : this.#random.between(500, 5_000);
      this.#timeline.after(untilNoticed, () => {
        this.unplug(wire);
      });
    });
    if (!this.isWhole(machine)) wire.setStatus('disconnected');
    return wire;
  }

  unplug(wire: SimWire): void {
    this.#wires.delete(wire);
    for (const listener of wire.listeners) this.remove(listener);
  }

  /** Cuts the machine's connection, one way or both; `undefined` heals it. */
  cut(machine: string, cut: Cut | undefined): void {
    if (cut === undefined) this.#cuts.delete(machine);
    else this.#cuts.set(machine, cut);
    const delay = cut === undefined ? RECONNECT_MS : NOTICED_AFTER_MS;
    this.#timeline.after(delay * this.#random.between(0.3, 1), () => {
      for (const wire of this.#wires) {
        if (wire.machine === machine) wire.notice(this.isWhole(machine) ? 'connected' : 'disconnected');
      }
    });
    for (const hear of this.#hearers) hear();
  }

  /** Messages of one machine do not reach the other. */
  cutPair(from: string, to: string, isCut: boolean): void {
    if (isCut) this.#pairs.add(`${from}>${to}`);
    else this.#pairs.delete(`${from}>${to}`);
  }

  isWhole(machine: string): boolean {
    return this.reaches(machine, 'up') && this.reaches(machine, 'down');
  }

  reaches(machine: string, way: 'up' | 'down'): boolean {
    return this.#cuts.get(machine)?.[way] !== true;
  }

  /** Called at every cut and healing. */
  onChange(hear: () => void): void {
    this.#hearers.push(hear);
  }

  add(listener: Listener): void {
    if (listener.tokens.some((token) => token === '*' || token === '>')) {
      this.#wild.add(listener);
      return;
    }
    const there = this.#exact.get(listener.subject);
    if (there === undefined) this.#exact.set(listener.subject, new Set([listener]));
    else there.add(listener);
  }

  remove(listener: Listener): void {
    this.#wild.delete(listener);
    this.#exact.get(listener.subject)?.delete(listener);
  }

  /** From a wire to the server, and on to all that listen. */
  route(from: SimWire, message: WireMessage): void {
    if (!this.reaches(from.machine, 'up') || this.#isLost()) return;
    const times = this.#isDoubled(message) ? 2 : 1;
    for (let time = 0; time < times; time += 1) {
      this.#timeline.at(this.#arrival(`${from.inbox}>`), () => {
        this.#deliver(from, message);
      });
    }
  }

  #deliver(from: SimWire, message: WireMessage): void {
    const chosen = this.#chosen(message.subject);
    for (const listener of chosen) this.#send(from, listener, message);
    if (chosen.length > 0 || message.reply === '') return;
    const nobody = { subject: message.reply, reply: '', body: new Uint8Array(), headers: {}, noResponders: true };
    for (const listener of this.#chosen(message.reply)) this.#send(undefined, listener, nobody);
  }

  /** Every listener without a group, and one of each group. */
  #chosen(subject: string): Listener[] {
    const all = [...(this.#exact.get(subject) ?? [])];
    const tokens = subject.split('.');
    for (const listener of this.#wild) if (matchesSubject(listener.tokens, tokens)) all.push(listener);
    const alone = all.filter(({ group }) => group === undefined);
    const groups = new Map<string, Listener[]>();
    for (const listener of all) {
      if (listener.group !== undefined) groups.set(listener.group, [...(groups.get(listener.group) ?? []), listener]);
    }
    for (const members of groups.values()) {
      const one = this.#random.pick(members);
      if (one !== undefined) alone.push(one);
    }
    return alone;
  }

  #send(from: SimWire | undefined, listener: Listener, message: WireMessage): void {
    const { wire, hear } = listener;
    if (!this.reaches(wire.machine, 'down') || this.#isLost()) return;
    if (from !== undefined && this.#pairs.has(`${from.machine}>${wire.machine}`)) return;
    const at = this.#arrival(`${from?.inbox ?? ''}>${wire.inbox}`);
    wire.process.later(at - this.#timeline.now, () => {
      if (wire.listeners.has(listener)) hear(message);
    });
  }

  #arrival(way: string): number {
    const { delayMs, slow, reordering } = this.weather;
    const isSlow = this.#random.chance(slow);
    if (isSlow) this.counts.slow += 1;
    const at = this.#timeline.now + delayMs * this.#random.between(0.2, 1) * (isSlow ? 100 : 1);
    const last = this.#lastAt.get(way) ?? 0;
    if (at < last && this.#random.chance(reordering)) {
      this.counts.reordered += 1;
      return at;
    }
    const inOrder = Math.max(at, last);
    this.#lastAt.set(way, inOrder);
    return inOrder;
  }

  #isLost(): boolean {
    if (!this.#random.chance(this.weather.loss)) return false;
    this.counts.lost += 1;
    return true;
  }

  #isDoubled({ subject }: WireMessage): boolean {
    if (ONCE.test(subject) || !this.#random.chance(this.weather.duplication)) return false;
    this.counts.duplicated += 1;
    return true;
  }
}

/** One process's connection. */
export class SimWire implements Wire {
  readonly inbox: string;
  readonly machine: string;
  readonly process: SimProcess;
  readonly listeners = new Set<Listener>();
  readonly #network: SimNetwork;
  readonly #hearers = new Set<(status: BusStatus) => void>();
  #status: BusStatus = 'connected';

  constructor(network: SimNetwork, process: SimProcess, machine: string, inbox: string) {
    this.#network = network;
    this.process = process;
    this.machine = machine;
    this.inbox = inbox;
  }

  get status(): BusStatus {
    return this.#status;
  }

  setStatus(status: BusStatus): void {
    if (status === this.#status) return;
    this.#status = status;
    for (const hear of this.#hearers) hear(status);
  }

  /** The process notices, when it runs. */
  notice(status: BusStatus): void {
    this.process.later(0, () => {
      this.setStatus(status);
    });
  }

  onStatus(hear: (status: BusStatus) => void): () => void {
    this.#hearers.add(hear);
    return () => {
      this.#hearers.delete(hear);
    };
  }

  send(subject: string, body: Uint8Array, headers: BusHeaders = {}, reply = ''): void {
    if (this.#status !== 'connected' || this.process.state === 'dead') return;
    this.#network.route(this, { subject, reply, body, headers, noResponders: false });
  }

  listen(subject: string, group: string | undefined, hear: (message: WireMessage) => void): Listening {
    const listener = { subject, tokens: subject.split('.'), group, wire: this, hear };
    this.listeners.add(listener);
    this.#network.add(listener);
    const stop = (): void => {
      this.listeners.delete(listener);
      this.#network.remove(listener);
    };
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
