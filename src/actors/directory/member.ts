import { type NodeEntry, type NodeState } from '../../messages/cluster-view.ts';
import { type NodeDocument } from '../../messages/documents.ts';
import { type Beat } from '../../messages/node-messages.ts';

/** What a process knows of one node. */
export interface Member {
  document: NodeDocument;
  beat: Beat | undefined;
  /** Silence in ms, counted only while this process was connected and awake. */
  silentMs: number;
  state: NodeState;
}

export function entryOf(member: Member): NodeEntry {
  return {
    document: member.document,
    beat: member.beat,
    state: member.state,
    silentMs: member.silentMs,
  };
}
