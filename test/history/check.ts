import { checkList } from './check-list.ts';
import { checkRegister } from './check-register.ts';
import {
  type FinalRead,
  type Operation,
  type ReadOperation,
  type Violation,
  type WriteOperation,
} from './operation.ts';

/** Everything that is wrong with a history, segment by segment. A segment without a final read did not come back. */
export function check(operations: readonly Operation[], finals: readonly FinalRead[]): Violation[] {
  const bySegment = Map.groupBy(operations, ({ segment }) => segment);
  const lastOf = Map.groupBy(finals, ({ segment }) => segment);
  return [...bySegment].flatMap(([segment, own]) => checkSegment(segment, own, lastOf.get(segment) ?? []));
}

function checkSegment(segment: string, operations: readonly Operation[], finals: readonly FinalRead[]): Violation[] {
  const [final] = finals;
  if (final === undefined) return [{ segment, kind: 'not back', message: 'it could not be read when all was over' }];
  const reads = [...operations.filter((operation) => operation.kind === 'read'), ...finals.map(asRead)];
  const writes = operations.filter((operation) => operation.kind !== 'read');
  const appends = writes.filter((write) => isOf(write, 'append'));
  const sets = writes.filter((write) => isOf(write, 'set'));
  return [
    ...checkList({ segment, appends, reads, final }),
    ...checkRegister(segment, sets, reads),
    ...writes.flatMap(checkAnswers),
  ];
}

function isOf<K extends WriteOperation['kind']>(write: WriteOperation, kind: K): write is WriteOperation & { kind: K } {
  return write.kind === kind;
}

function asRead({ segment, node, list, register, startMs, endMs }: FinalRead): ReadOperation {
  const seen = { count: list.length, tail: list, register };
  return { kind: 'read', client: -1, segment, node, startMs, endMs, outcome: 'ok', tries: 1, seen };
}

/** The same request, sent again, is answered as before. */
function checkAnswers({ segment, kind, value, sequence, again }: WriteOperation): Violation[] {
  if (again === undefined || again === sequence) return [];
  const message = `${kind} ${String(value)} was answered with ${String(sequence)}, and with ${String(again)} when it was sent again`;
  return [{ segment, kind: 'other answer', message }];
}

const KINDS = ['append', 'set', 'read'] as const;

/** A history in which hardly anything was answered shows nothing: of each kind something must have succeeded in each segment. */
export function checkWork(operations: readonly Operation[], segments: readonly string[]): Violation[] {
  const done = new Set(
    operations.filter(({ outcome }) => outcome === 'ok').map(({ segment, kind }) => `${segment} ${kind}`),
  );
  return segments.flatMap((segment) =>
    KINDS.filter((kind) => !done.has(`${segment} ${kind}`)).map((kind): Violation => {
      return { segment, kind: 'nothing done', message: `no ${kind} was ever answered` };
    }),
  );
}
