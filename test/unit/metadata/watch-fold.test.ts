import { describe, expect, it } from 'vitest';
import { type FollowEvent } from '../../../src/metadata/kv-follow.ts';
import { WatchFold } from '../../../src/metadata/watch-fold.ts';

const put = (key: string, revision: number): FollowEvent => message(key, revision, false);
const gone = (key: string, revision: number): FollowEvent => message(key, revision, true);
const complete = (revision: number): FollowEvent => ({ kind: 'complete', revision });

function message(key: string, revision: number, deleted: boolean): FollowEvent {
  return { kind: 'message', key, value: new Uint8Array(0), revision, deleted, pending: 0 };
}

function told(...events: FollowEvent[]): string[] {
  const story: string[] = [];
  const fold = new WatchFold((event) => {
    story.push(
      event.kind === 'current'
        ? `current ${String(event.revision)}`
        : `${event.kind} ${event.key} ${String(event.revision)}`,
    );
  });
  events.forEach(fold.apply);
  return story;
}

describe('what a watcher hears', () => {
  it('is the present without deletions of keys that it never heard of, then the changes', () => {
    expect(told(put('a', 1), gone('b', 3), complete(3), put('b', 4), gone('a', 5), gone('a', 6))).toEqual([
      'put a 1',
      'current 3',
      'put b 4',
      'delete a 5',
    ]);
  });

  it('has `current` once, however often the reading begins again', () => {
    expect(told(complete(0), put('a', 1), complete(1), complete(1))).toEqual(['current 0', 'put a 1']);
  });

  it('leads to the new state when the stream is another one', () => {
    const events = [put('a', 5), put('b', 6), put('c', 7), complete(7), { kind: 'restart' } as const];
    expect(told(...events, put('b', 1), put('c', 2), gone('c', 3), put('d', 4), complete(4)).slice(4)).toEqual([
      'put b 1',
      'put c 2',
      'delete c 3',
      'put d 4',
      'delete a 4',
    ]);
  });
});
