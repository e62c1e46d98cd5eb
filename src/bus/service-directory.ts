import { type TroughError } from '../errors.ts';
import { type Endpoint } from './bus.ts';
import { type Listening, type Wire, type WireMessage } from './wire.ts';

export interface ServiceIdentity {
  readonly name: string;
  /** major.minor.patch */
  readonly version: string;
  readonly description?: string;
}

/** What the services API tells about one endpoint. */
export class EndpointStats {
  #requests = 0;
  #errors = 0;
  #lastError = '';
  #totalMs = 0;

  /** One request that took `tookMs` to its last byte. */
  count(tookMs: number, error: TroughError | undefined): void {
    this.#requests += 1;
    this.#totalMs += tookMs;
    if (error === undefined) return;
    this.#errors += 1;
    this.#lastError = `${error.code}: ${error.message}`;
  }

  /** Times in ns, as the services API wants them. */
  toRecord(): Record<string, string | number> {
    const processing = Math.round(this.#totalMs * 1e6);
    return {
      num_requests: this.#requests,
      num_errors: this.#errors,
      last_error: this.#lastError,
      processing_time: processing,
      average_processing_time: this.#requests === 0 ? 0 : Math.round(processing / this.#requests),
    };
  }
}

interface Entry {
  readonly name: string;
  readonly subject: string;
  readonly queue_group: string;
  readonly stats: EndpointStats;
}

const TYPE = 'io.nats.micro.v1';

/**
 * Answers PING, INFO and STATS of the NATS services API (ADR-32), so that `nats micro ls` shows what this process answers.
 * The client library has its own; that one measures only the synchronous part of a handler and ends the whole service with one endpoint.
 */
export class ServiceDirectory {
  readonly #wire: Wire;
  readonly #identity: ServiceIdentity;
  readonly #id: string;
  readonly #started = new Date().toISOString();
  readonly #entries = new Set<Entry>();
  #listening: Listening[] = [];

  constructor(wire: Wire, identity: ServiceIdentity) {
    this.#wire = wire;
    this.#identity = identity;
    this.#id = wire.inbox.slice(wire.inbox.lastIndexOf('.') + 1);
  }

  /** Shows the endpoint from now on, if it wants to be shown. */
  add(endpoint: Endpoint): { readonly stats: EndpointStats; readonly remove: () => void } | undefined {
    if (endpoint.advertiseAs === undefined) return undefined;
    const { advertiseAs: name, subject, group } = endpoint;
    const entry: Entry = { name, subject, queue_group: group ?? '', stats: new EndpointStats() };
    this.#entries.add(entry);
    if (this.#listening.length === 0) this.#open();
    return {
      stats: entry.stats,
      remove: () => {
        this.#entries.delete(entry);
        if (this.#entries.size === 0) this.close();
      },
    };
  }

  close(): void {
    for (const each of this.#listening) each.stop();
    this.#listening = [];
    this.#entries.clear();
  }

  #open(): void {
    const verbs = {
      PING: () => this.#header('ping'),
      INFO: () => ({
        ...this.#header('info'),
        description: this.#identity.description ?? '',
        endpoints: this.#endpoints(({ name, subject, queue_group }) => ({ name, subject, queue_group, metadata: {} })),
      }),
      STATS: () => ({
        ...this.#header('stats'),
        started: this.#started,
        endpoints: this.#endpoints(({ stats, ...shown }) => ({ ...shown, ...stats.toRecord() })),
      }),
    };
    for (const [verb, describe] of Object.entries(verbs)) {
      const answer = ({ reply }: WireMessage): void => {
        if (reply !== '') this.#wire.send(reply, Buffer.from(JSON.stringify(describe())));
      };
      const named = `$SRV.${verb}.${this.#identity.name}`;
      for (const subject of [`$SRV.${verb}`, named, `${named}.${this.#id}`]) {
        this.#listening.push(this.#wire.listen(subject, undefined, answer));
      }
    }
  }

  #header(kind: 'ping' | 'info' | 'stats'): Record<string, unknown> {
    const { name, version } = this.#identity;
    return { type: `${TYPE}.${kind}_response`, name, id: this.#id, version, metadata: {} };
  }

  #endpoints(show: (entry: Entry) => Record<string, unknown>): Record<string, unknown>[] {
    return [...this.#entries].map(show);
  }
}
