import {
  type HandOverAnswer,
  type HandOverRequest,
  type HolderAnswer,
  type HolderRequest,
  type LeaseRevision,
  type OpenAnswer,
  type OpenRequest,
  type PrepareAnswer,
  type PrepareRequest,
} from './node-messages.ts';
import { type ReadAnswer, type ReadRequest } from './reading.ts';
import { type WriteAnswer, type WriteCall } from './writing.ts';

/** What the leader asks of one node; the role binds it to `trough.node.<node>.<verb>`. NODE_UNAVAILABLE when it does not answer. */
export interface NodeCalls {
  open(node: string, request: OpenRequest): Promise<OpenAnswer>;
  prepare(node: string, request: PrepareRequest): Promise<PrepareAnswer>;
  promote(node: string, request: HolderRequest): Promise<HolderAnswer>;
  close(node: string, request: HolderRequest): Promise<HolderAnswer>;
  handOver(node: string, request: HandOverRequest): Promise<HandOverAnswer>;
  /** Resolves when the node knows of these leases. BUS_TIMEOUT when it did not within a second or two. */
  applied(node: string, leases: readonly LeaseRevision[]): Promise<void>;
}

/** Hands a read or a write on to another node. NODE_UNAVAILABLE when it does not answer; WRITE_OUTCOME_UNKNOWN when a write was sent and no answer came. */
export interface PeerCalls {
  read(node: string, request: ReadRequest, signal: AbortSignal): Promise<ReadAnswer>;
  write(node: string, call: WriteCall): Promise<WriteAnswer>;
}
