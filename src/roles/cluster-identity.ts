import { z } from 'zod';
import { type Disk, readSmall, writeSmall } from '../disk/disk.ts';
import { TroughError } from '../errors.ts';
import { type Log } from '../log.ts';
import { type ClusterView, metadataLost } from '../messages/cluster-view.ts';
import { ClusterDocument, decodeDocument, encodeDocument } from '../messages/documents.ts';
import { keys } from '../messages/keys.ts';
import { type MetadataStore } from '../metadata/metadata-store.ts';
import { type DataPaths } from '../model/paths.ts';
import { type Clock } from '../runtime/clock.ts';
import { withDeadline } from '../runtime/deadline.ts';

export interface ClusterIdentityDeps {
  readonly store: MetadataStore;
  readonly view: ClusterView;
  readonly disk: Disk;
  readonly paths: DataPaths;
  readonly clock: Clock;
  readonly log: Log;
  readonly self: { readonly node: string; readonly session: string };
}

const STORE_DEADLINE_MS = 10_000;
const Remembered = z.object({ id: z.string().min(1) });

/**
 * Whose data is in this data directory, and is it that of the metadata store? A store that was lost looks like a new one; but then the nodes remember
 * another cluster than the store does, and whatever would be decided from nothing (new leases, a new placement, copies that nobody asks for) is held
 * until the metadata is rebuilt.
 */
export class ClusterIdentity {
  readonly #deps: ClusterIdentityDeps;
  #store: string;
  #remembered: string | undefined;

  private constructor(deps: ClusterIdentityDeps, store: string, remembered: string | undefined) {
    this.#deps = deps;
    this.#store = store;
    this.#remembered = remembered;
  }

  /** To be called when the view is current and before anything is done with the data. */
  static async settle(deps: ClusterIdentityDeps): Promise<ClusterIdentity> {
    const remembered = await recall(deps);
    const document = await agree(deps, remembered);
    const identity = new ClusterIdentity(deps, document.id, remembered);
    if (remembered === undefined) await identity.#remember(document.id);
    else await identity.#takeIn(document);
    if (identity.isStranger) {
      const fields = { remembered, cluster: document.id, state: document.state };
      deps.log.error(
        fields,
        'the data here is of a cluster whose metadata the store does not have; it is kept until `trough rebuild` has looked through it',
      );
    }
    return identity;
  }

  /** The data here is of another time or cluster than the store: what lies here may be all there is of it. */
  get isStranger(): boolean {
    return this.#remembered !== this.#store;
  }

  /** The cluster that the data here is of. */
  get remembered(): string | undefined {
    return this.#remembered;
  }

  /** With every change of the document that the watch brings. METADATA_LOST when the store is not the one that this process began with. */
  async seen(document: ClusterDocument | undefined): Promise<void> {
    if (document?.id !== this.#store) throw metadataLost();
    await this.#takeIn(document);
  }

  async #takeIn(document: ClusterDocument): Promise<void> {
    if (!this.isStranger || document.state === 'lost') return;
    const isLookedThrough = document.rebuiltFrom.includes(this.#deps.self.node);
    if (!isLookedThrough || !document.former.includes(this.#remembered ?? '')) return;
    await this.#remember(document.id);
    this.#deps.log.info({ cluster: document.id }, 'the data here was looked through and belongs to this cluster');
  }

  async #remember(id: string): Promise<void> {
    const { disk, paths, self } = this.#deps;
    const half = paths.temporary('cluster', self.session);
    await disk.makeDirectoryOf(half);
    await writeSmall(disk, half, `${JSON.stringify({ id })}\n`);
    await disk.moveDatabase(half, paths.cluster);
    this.#remembered = id;
  }
}

/** undefined: nothing was kept here yet, or by a version that did not say of which cluster it was. */
async function recall({ disk, paths, log }: ClusterIdentityDeps): Promise<string | undefined> {
  if (!(await disk.exists(paths.cluster))) return undefined;
  const text = (await readSmall(disk, paths.cluster)).toString('utf8');
  try {
    return Remembered.parse(JSON.parse(text)).id;
  } catch (error) {
    log.warn({ err: TroughError.from(error), file: paths.cluster }, 'it cannot be read of which cluster the data is');
    return undefined;
  }
}

/** The document as it is in the store: made, or marked as lost, when what is remembered here asks for it. */
async function agree(deps: ClusterIdentityDeps, remembered: string | undefined): Promise<ClusterDocument> {
  const { store, view, clock, self } = deps;
  for (let entry = view.cluster(); ;) {
    const wanted = wantedOf(entry?.document, deps, remembered);
    if (wanted === entry?.document) return wanted;
    try {
      const value = encodeDocument(wanted);
      await withDeadline(clock, STORE_DEADLINE_MS, (signal) =>
        entry === undefined
          ? store.create(keys.cluster, value, signal)
          : store.update(keys.cluster, value, entry.revision, signal),
      );
      if (wanted.state === 'lost') deps.log.error({ by: self.node }, 'the metadata store is empty, and it was not');
      return wanted;
    } catch (error) {
      if (TroughError.from(error).code !== 'METADATA_CONFLICT') throw error;
      const now = await withDeadline(clock, STORE_DEADLINE_MS, (signal) => store.get(keys.cluster, signal));
      entry =
        now === undefined
          ? undefined
          : { document: decodeDocument(ClusterDocument, keys.cluster, now.value), revision: now.revision };
    }
  }
}

function wantedOf(
  document: ClusterDocument | undefined,
  { view, clock, self }: ClusterIdentityDeps,
  remembered: string | undefined,
): ClusterDocument {
  // With leases in it the store was not lost: this document alone is new to it.
  const isInUse = view.leases()[Symbol.iterator]().next().done !== true;
  if (document === undefined) {
    const isLost = remembered !== undefined && !isInUse;
    const id = isInUse && remembered !== undefined ? remembered : self.session;
    const former = isLost ? [remembered] : [];
    return { id, sinceMs: clock.now(), state: isLost ? 'lost' : 'ready', former, rebuiltFrom: [] };
  }
  const isKnown = remembered === undefined || remembered === document.id || document.former.includes(remembered);
  // A store that is in use is not held up by one directory that was brought from elsewhere.
  if (isKnown || (document.state === 'ready' && isInUse)) return document;
  return { ...document, state: 'lost', former: [...document.former, remembered], rebuiltFrom: [] };
}
