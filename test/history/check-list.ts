import { type FinalRead, type ReadOperation, type Violation, type WriteOperation } from './operation.ts';

type Append = WriteOperation & { readonly kind: 'append' };

/** An operation with the state of the list that it stands for: appends are odd, what is between them even. */
interface Placed {
  readonly state: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly isRead: boolean;
  readonly told: string;
}

export interface ListHistory {
  readonly segment: string;
  readonly appends: readonly Append[];
  readonly reads: readonly ReadOperation[];
  readonly final: FinalRead;
}

/**
 * Whether appends and reads of one list could have happened one after the other, each between its start and its end, with `final` as the
 * outcome (linearizability, Herlihy and Wing 1990). In the end the list tells the order of all appends and so the state that each read saw; what is left is
 * that no operation began after the end of one that stands for a later state.
 */
export function checkList({ segment, appends, reads, final }: ListHistory): Violation[] {
  const violations: Violation[] = [];
  const say = (kind: Violation['kind'], message: string): void => {
    violations.push({ segment, kind, message });
  };
  const positions = positionsOf(final.list, say);
  const placed: Placed[] = [];
  const known = new Set<number>();
  for (const append of appends) {
    known.add(append.value);
    const at = positions.get(append.value);
    if (at === undefined && append.outcome === 'ok') say('lost', `${tell(append)} is not in the list`);
    if (at === undefined) continue;
    if (append.outcome === 'failed') say('not failed', `${tell(append)} is in the list at ${String(at)}`);
    placed.push(place(append, 2 * at + 1));
  }
  for (const value of positions.keys())
    if (!known.has(value)) say('from nowhere', `${String(value)} is in the list and nobody wrote it`);
  for (const read of reads) {
    const { seen } = read;
    if (seen === undefined) continue;
    if (isPrefix(seen, final.list)) placed.push(place(read, 2 * seen.count));
    else say('other content', `${tell(read)} is not how the list ever was`);
  }
  return [...violations, ...inOrder(segment, placed)];
}

function positionsOf(
  list: readonly number[],
  say: (kind: Violation['kind'], message: string) => void,
): Map<number, number> {
  const positions = new Map<number, number>();
  for (const [at, value] of list.entries()) {
    const before = positions.get(value);
    if (before === undefined) positions.set(value, at);
    else say('doubled', `${String(value)} is in the list at ${String(before)} and at ${String(at)}`);
  }
  return positions;
}

function isPrefix({ count, tail }: NonNullable<ReadOperation['seen']>, list: readonly number[]): boolean {
  if (count > list.length || tail.length > count) return false;
  return tail.every((value, index) => value === list[count - tail.length + index]);
}

function inOrder(segment: string, placed: Placed[]): Violation[] {
  const violations: Violation[] = [];
  placed.sort((one, other) => one.state - other.state);
  let latest: Placed | undefined;
  let group: Placed[] = [];
  const take = (): void => {
    // Those of one state have no order among themselves.
    for (const one of group) if (latest === undefined || one.startMs > latest.startMs) latest = one;
    group = [];
  };
  for (const one of placed) {
    if (group[0] !== undefined && group[0].state !== one.state) take();
    group.push(one);
    if (latest !== undefined && one.endMs < latest.startMs) violations.push(disorder(segment, one, latest));
  }
  return violations;
}

/** `later` began after the end of `earlier` and stands for an older state. */
function disorder(segment: string, earlier: Placed, later: Placed): Violation {
  const kind = later.isRead ? 'stale read' : earlier.isRead ? 'early read' : 'order';
  return { segment, kind, message: `${later.told} began after the end of ${earlier.told}` };
}

function place(operation: Append | ReadOperation, state: number): Placed {
  return {
    state,
    startMs: operation.startMs,
    // Whoever was not answered never ended.
    endMs: operation.outcome === 'ok' ? operation.endMs : Infinity,
    isRead: operation.kind === 'read',
    told: tell(operation),
  };
}

function tell(operation: Append | ReadOperation): string {
  const { client, node, startMs, endMs, outcome } = operation;
  const when = `by client ${String(client)} at ${node}, ${startMs.toFixed(1)} to ${endMs.toFixed(1)} ms`;
  if (operation.kind === 'append') return `append ${String(operation.value)} (${outcome}, ${when})`;
  const { count = 0, tail = [] } = operation.seen ?? {};
  return `the read of ${String(count)} values that end with ${tail.join(' ')} (${when})`;
}
