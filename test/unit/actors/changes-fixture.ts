import { ChangeFeed } from '../../../src/actors/changes/change-feed.ts';
import { nameMatcher } from '../../../src/engine/name-matcher.ts';
import { MemoryJournal } from '../../../src/journal/memory-journal.ts';
import { type ChangesPage, type ChangesRequest } from '../../../src/messages/changes.ts';
import { id, journaledCluster } from './journaled-fixture.ts';

/** Real writers on a journal in memory, and a feed beside them. */
export function changesScene(options: { readonly mostOpen?: number; readonly pageBytes?: number } = {}) {
  const scene = journaledCluster();
  const { cluster, cold, server } = scene;
  const { clock, view, store } = cluster;
  const journal = new MemoryJournal(server, { clock });
  const feed = new ChangeFeed({
    ...{ clock, journal, view, store, cold, pattern: nameMatcher },
    ...{ mostOpen: 10, pageBytes: 100_000, ...options },
  });
  const ask = async (
    changes: Partial<ChangesRequest> = {},
    signal = new AbortController().signal,
  ): Promise<ChangesPage> => {
    let page: ChangesPage | undefined;
    const take = (given: ChangesPage): Promise<void> => {
      page = given;
      return Promise.resolve();
    };
    await feed.read({ of: { segment: id }, waitMs: 0, ...changes }, take, signal);
    if (page === undefined) throw new Error('nothing was delivered');
    return page;
  };
  /** From `since` to the end, as one who follows takes it. */
  const follow = async (since: string, of: ChangesRequest['of'] = { segment: id }): Promise<ChangesPage['changes']> => {
    const all: ChangesPage['changes'][number][] = [];
    for (let next = since; ;) {
      const page = await ask({ of, since: next });
      all.push(...page.changes);
      ({ next } = page);
      if (!page.more) return all;
    }
  };
  return { ...scene, feed, journal, ask, follow };
}

/** The SQL of the writes among them, in order; other kinds by their names. */
export function told(changes: ChangesPage['changes']): string[] {
  return changes.flatMap((change) =>
    change.kind === 'write' ? change.statements.map(({ sql }) => sql) : [`(${change.kind})`],
  );
}
