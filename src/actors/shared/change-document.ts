import { TroughError } from '../../errors.ts';
import { type ClusterView } from '../../messages/cluster-view.ts';
import { type Entry, type MetadataStore } from '../../metadata/metadata-store.ts';
import { type Clock } from '../../runtime/clock.ts';
import { withDeadline } from '../../runtime/deadline.ts';
import { pause } from '../../runtime/pause.ts';

interface Deps {
  readonly store: MetadataStore;
  readonly view: Pick<ClusterView, 'revision'>;
  readonly clock: Clock;
}

const STORE_DEADLINE_MS = 10_000;
const SEEN_POLL_MS = 5;

/**
 * Writes what `next` makes of a document as the store has it (before: undefined when it is not there; undefined: nothing is to change), again when
 * somebody else was faster. Comes back when the view has it: that is a moment behind the store, and whoever asks right after the answer is told from it.
 */
export async function changeDocument(
  deps: Deps,
  key: string,
  next: (before: Entry | undefined) => Uint8Array | undefined,
): Promise<'created' | 'changed' | 'same'> {
  const { store, clock } = deps;
  for (;;) {
    try {
      const { outcome, revision } = await withDeadline(clock, STORE_DEADLINE_MS, async (signal) => {
        const before = await store.get(key, signal);
        const value = next(before);
        if (value === undefined) return { outcome: 'same', revision: 0 } as const;
        if (before === undefined)
          return { outcome: 'created', revision: await store.create(key, value, signal) } as const;
        return { outcome: 'changed', revision: await store.update(key, value, before.revision, signal) } as const;
      });
      await untilSeen(deps, revision);
      return outcome;
    } catch (error) {
      if (TroughError.from(error).code !== 'METADATA_CONFLICT') throw error;
    }
  }
}

async function untilSeen({ view, clock }: Deps, revision: number): Promise<void> {
  const until = clock.monotonic() + STORE_DEADLINE_MS;
  while (view.revision < revision && clock.monotonic() < until) await pause(clock, SEEN_POLL_MS);
}
