import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { z } from 'zod';
import { TroughError } from '../errors.ts';
import { type NodeId, parseNodeId } from './node-id.ts';
import { MOST_RANKS, type Placement } from './placement.ts';
import { SLOT_COUNT } from './slot.ts';

/** What lies under the key `placement`: where copies are wanted, and where they are known to be. */
export interface PlacementDocument {
  readonly term: number;
  readonly epoch: number;
  readonly target: Placement;
  /** Ranked like `target`; may name nodes that `target` does not, while copies move away from them. */
  readonly serving: Placement;
}

const Packed = z.object({
  term: z.int().nonnegative(),
  epoch: z.int().nonnegative(),
  nodes: z.array(z.string()).max(0xfffe),
  targetNodes: z.int().nonnegative(),
  servingNodes: z.array(z.int().nonnegative()),
  targetRanks: z.int().min(0).max(MOST_RANKS),
  servingRanks: z.int().min(0).max(MOST_RANKS),
  target: z.string(),
  serving: z.string(),
});

/**
 * JSON; the tables as base64 of deflated bytes, all low bytes first, then all high ones; serving as its difference from target where both have
 * one shape, so that it costs nothing while they agree. Under 256 KB for 16,384 × 4 on some hundred nodes.
 */
export function encodePlacement({ term, epoch, target, serving }: PlacementDocument): Uint8Array {
  const nodes = [...target.nodes, ...serving.nodes.filter((node) => !target.nodes.includes(node))];
  const at = new Map(nodes.map((node, index) => [node, index]));
  const servingNodes = serving.nodes.map((node) => at.get(node) ?? 0);
  const servingTable = serving.table.map((node) => servingNodes[node] ?? node);
  const packed: z.infer<typeof Packed> = {
    term,
    epoch,
    nodes,
    targetNodes: target.nodes.length,
    servingNodes,
    targetRanks: target.ranks,
    servingRanks: serving.ranks,
    target: pack(target.table),
    serving: pack(difference(servingTable, target.table)),
  };
  return Buffer.from(JSON.stringify(packed), 'utf8');
}

/** METADATA_BROKEN when the bytes are not such a document. */
export function decodePlacement(value: Uint8Array): PlacementDocument {
  try {
    const packed = Packed.parse(JSON.parse(Buffer.from(value).toString('utf8')));
    const nodes = packed.nodes.map(parseNodeId);
    const target = unpack(packed.target, packed.targetRanks);
    const serving = difference(unpack(packed.serving, packed.servingRanks), target);
    const own = new Map(packed.servingNodes.map((node, index) => [node, index]));
    return {
      term: packed.term,
      epoch: packed.epoch,
      target: { nodes: nodes.slice(0, packed.targetNodes), ranks: packed.targetRanks, table: target },
      serving: {
        nodes: packed.servingNodes.map((node) => named(nodes, node)),
        ranks: packed.servingRanks,
        table: serving.map((node) => own.get(node) ?? node),
      },
    };
  } catch (error) {
    throw new TroughError('METADATA_BROKEN', "the document 'placement' cannot be read", { key: 'placement' }, error);
  }
}

function named(nodes: readonly NodeId[], index: number): NodeId {
  const node = nodes[index];
  if (node === undefined)
    throw new TroughError('METADATA_BROKEN', `a placement names its node ${String(index)} of ${String(nodes.length)}`);
  return node;
}

/** Its own inverse. Tables of different shapes have nothing in common. */
function difference(table: Uint16Array, base: Uint16Array): Uint16Array {
  return table.length === base.length ? table.map((node, at) => node ^ (base[at] ?? 0)) : table;
}

function pack(table: Uint16Array): string {
  const bytes = new Uint8Array(table.length * 2);
  table.forEach((node, at) => {
    bytes[at] = node & 0xff;
    bytes[table.length + at] = node >>> 8;
  });
  return deflateRawSync(bytes).toString('base64');
}

function unpack(text: string, ranks: number): Uint16Array {
  const length = SLOT_COUNT * ranks;
  const bytes = inflateRawSync(Buffer.from(text, 'base64'), { maxOutputLength: length * 2 + 1 });
  if (bytes.length !== length * 2)
    throw new TroughError('METADATA_BROKEN', `a placement of ${String(ranks)} ranks has ${String(bytes.length)} bytes`);
  return Uint16Array.from({ length }, (_, at) => (bytes[at] ?? 0) | ((bytes[length + at] ?? 0) << 8));
}
