import { TroughError } from '../../src/errors.ts';
import { type NodeCalls, type PeerCalls } from '../../src/messages/node-calls.ts';
import {
  type HandOverAnswer,
  type HandOverRequest,
  type HolderAnswer,
  type HolderRequest,
  type LeaseRevision,
  type OpenAnswer,
  type OpenRequest,
  type PrepareAnswer,
} from '../../src/messages/node-messages.ts';
import { type ReadAnswer, type ReadRequest } from '../../src/messages/reading.ts';
import { type WriteAnswer, type WriteCall } from '../../src/messages/writing.ts';
import { FakeGate } from './fake-gate.ts';

/** The other nodes: every call is kept, answered by what a test puts in place, and NODE_UNAVAILABLE for a node that is down. */
export class FakeNodes implements NodeCalls, PeerCalls {
  readonly gate = new FakeGate();
  readonly calls: string[] = [];
  readonly opens: OpenRequest[] = [];
  readonly handOvers: HandOverRequest[] = [];
  readonly reads: ReadRequest[] = [];
  readonly writes: WriteCall[] = [];
  onApplied: (node: string, leases: readonly LeaseRevision[]) => Promise<void> = () => Promise.resolve();
  readonly down = new Set<string>();
  onHolder: (node: string, request: HolderRequest) => Promise<HolderAnswer> = () => Promise.resolve({});

  async open(node: string, request: OpenRequest): Promise<OpenAnswer> {
    this.opens.push(request);
    await this.#enter('open', node);
    return { sizeBytes: 8, created: !request.hasBase };
  }

  async prepare(node: string): Promise<PrepareAnswer> {
    await this.#enter('prepare', node);
    return { prepared: true };
  }

  async promote(node: string, request: HolderRequest): Promise<HolderAnswer> {
    await this.#enter('promote', node);
    return this.onHolder(node, request);
  }

  async close(node: string, request: HolderRequest): Promise<HolderAnswer> {
    await this.#enter(request.discard ? 'discard' : 'close', node);
    return this.onHolder(node, request);
  }

  async handOver(node: string, request: HandOverRequest): Promise<HandOverAnswer> {
    this.handOvers.push(request);
    await this.#enter('handOver', node);
    return { sizeBytes: 8 };
  }

  async applied(node: string, leases: readonly LeaseRevision[]): Promise<void> {
    await this.#enter('applied', node);
    await this.onApplied(node, leases);
  }

  async read(node: string, request: ReadRequest): Promise<ReadAnswer> {
    this.reads.push(request);
    await this.#enter('read', node);
    const summary = { rows: 1, truncated: false };
    return { node, version: 'theirs', columns: [], body: new Uint8Array(), summary: () => summary };
  }

  async write(node: string, call: WriteCall): Promise<WriteAnswer> {
    this.writes.push(call);
    await this.#enter('write', node);
    return { node, results: [], sequence: 1 };
  }

  async #enter(what: string, node: string): Promise<void> {
    this.calls.push(`${what} ${node}`);
    if (this.down.has(node)) {
      await Promise.resolve();
      throw new TroughError('NODE_UNAVAILABLE', `the node '${node}' does not answer`);
    }
    await this.gate.pass(what);
  }
}
