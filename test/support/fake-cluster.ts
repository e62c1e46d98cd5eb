import { Directory, type DirectoryNews } from '../../src/actors/directory.ts';
import {
  encodeDocument,
  type LeaseDocument,
  type NodeDocument,
  type SchemaDocument,
} from '../../src/messages/documents.ts';
import { keys } from '../../src/messages/keys.ts';
import { type Beat } from '../../src/messages/node-messages.ts';
import { MemoryMetadata } from '../../src/metadata/memory.ts';
import { ManualClock } from './manual-clock.ts';

const TICK_MS = 500;

/** The documents of a cluster in memory and one process's view of them, by a clock that is moved by hand. */
export class FakeCluster {
  readonly clock = new ManualClock();
  readonly store = new MemoryMetadata();
  readonly news: DirectoryNews[] = [];
  readonly view: Directory;
  readonly #watching = new AbortController();
  readonly #sequences = new Map<string, number>();

  constructor() {
    this.view = new Directory({
      clock: this.clock,
      suspectAfterMs: 6_000,
      lostAfterMs: 10_000,
      emit: (item) => this.news.push(item),
    });
    this.watch();
  }

  watch(): void {
    this.store.watch(
      '',
      (event) => {
        this.view.receive({ kind: 'metadata', event });
      },
      this.#watching.signal,
    );
  }

  /** From now on the view hears of no document any more. */
  blind(): void {
    this.#watching.abort();
  }

  async settle(): Promise<void> {
    await this.clock.advance(0);
  }

  async put(key: string, document: unknown): Promise<number> {
    const value = document instanceof Uint8Array ? document : encodeDocument(document);
    const entry = await this.store.get(key);
    const revision =
      entry === undefined ? await this.store.create(key, value) : await this.store.update(key, value, entry.revision);
    await this.settle();
    return revision;
  }

  /** A node with all roles that has beaten once. */
  async node(node: string, changes: Partial<NodeDocument> = {}, beat: Partial<Beat> = {}): Promise<void> {
    const document: NodeDocument = {
      node,
      session: `${node}-1`,
      zone: 'z',
      roles: ['reader', 'writer', 'sync-master', 'sync-local'],
      urls: { write: `http://${node}:6222/` },
      quotaBytes: 1_000_000_000,
      state: 'up',
      startedMs: 0,
      ...changes,
    };
    await this.put(keys.node(node), document);
    this.beat(node, { session: document.session, ...beat });
  }

  beat(node: string, changes: Partial<Beat> = {}): void {
    const sequence = (this.#sequences.get(node) ?? 0) + 1;
    this.#sequences.set(node, sequence);
    const vitals = {
      load: 0,
      storedBytes: 0,
      copies: 0,
      pending: 0,
      pendingBytes: 0,
      fetched: null,
      leases: 0,
      complete: null,
    };
    this.view.receive({ kind: 'beat', beat: { node, session: `${node}-1`, sequence, ...vitals, ...changes } });
  }

  async lease(segment: string, changes: Partial<LeaseDocument> = {}): Promise<number> {
    return this.put(keys.lease(segment), leaseDocument(segment, changes));
  }

  /** The lease as the store has it. */
  async leaseOf(segment: string): Promise<LeaseDocument | undefined> {
    const entry = await this.store.get(keys.lease(segment));
    return entry === undefined ? undefined : (JSON.parse(Buffer.from(entry.value).toString()) as LeaseDocument);
  }

  schema(schema: SchemaDocument): Promise<number> {
    return this.put(keys.schema(schema.id), schema);
  }

  /** Time passes as a connected process sees it; nobody beats but those named. */
  async pass(ms: number, beating: readonly string[] = []): Promise<void> {
    for (let passed = 0; passed < ms; passed += TICK_MS) {
      await this.clock.advance(Math.min(TICK_MS, ms - passed));
      this.view.receive({ kind: 'tick', connected: true });
      for (const node of beating) this.beat(node, { session: this.view.node(node)?.document.session ?? '' });
    }
  }
}

/** A lease that `n1` holds, of a segment that was never published. */
export function leaseDocument(segment: string, changes: Partial<LeaseDocument> = {}): LeaseDocument {
  return {
    segment,
    state: 'held',
    node: 'n1',
    session: 'n1-1',
    epoch: 1,
    schema: 'default',
    acquired_on: 0,
    version: null,
    sha256: null,
    sizeBytes: null,
    under_promotion: false,
    unpromoted: false,
    stream: null,
    incarnation: null,
    formerVersion: 0,
    ...changes,
  };
}
