import { decodeDocument, LeaderDocument } from '../../src/messages/documents.ts';
import { keys } from '../../src/messages/keys.ts';
import { parseSegmentId } from '../../src/model/segment-id.ts';
import { type Catalogues } from './catalogues.ts';
import { leaseOf, placementOf, placesBy, ruleOf } from './documents.ts';
import { type SimNode } from './sim-node.ts';
import { type Truths } from './truths.ts';
import { type World } from './world.ts';

/** What is to be of segments whose files vanished from cold storage: they are said to have, and their copies are kept and made from each other. */
export class VanishedChecks {
  readonly #world: World;
  readonly #truths: Truths;
  readonly #catalogues: Catalogues;

  constructor(world: World, truths: Truths, catalogues: Catalogues) {
    this.#world = world;
    this.#truths = truths;
    this.#catalogues = catalogues;
  }

  /** What is still not so, a sentence each, among the nodes that run to the end. */
  problems(alive: readonly SimNode[]): string[] {
    return [...this.#ofReturned(), ...[...this.#world.cold.gone].flatMap(([id]) => this.#ofGone(id, alive))];
  }

  #ofReturned(): string[] {
    const ids = [...this.#world.cold.files.keys()];
    return ids.filter((id) => this.#row(id)?.vanished === true).map((id) => `${id} is back and not taken up again`);
  }

  #ofGone(id: string, alive: readonly SimNode[]): string[] {
    const row = this.#row(id);
    const placement = placementOf(this.#world);
    // One that no leader has seen, or whose catalogue was lost with its machine, is named by nobody.
    if (row === undefined || placement === undefined || leaseOf(this.#world, id)?.state === 'shredded') return [];
    if (!row.vanished) return [`nobody has noticed that ${id} vanished`];
    const having = (fits: (version: number) => boolean): string[] =>
      alive.filter((node) => fits(this.#soundOf(node, id) ?? -1)).map(({ name }) => name);
    const holders = having((version) => version === row.version);
    // A leader whose catalogue was lost may know of an earlier state than a node has.
    const newer = having((version) => version > row.version);
    if (holders.length === 0) return [];
    const { target } = placesBy(this.#world, placement, id, ruleOf(this.#world, id));
    const lacking = target.filter((name) => !holders.includes(name) && !newer.includes(name));
    const over = target.length === 0 ? [] : holders.filter((name) => !target.includes(name));
    return [
      ...lacking.map((name) => `${name} has no copy of ${id}, which vanished and is on ${holders.join()}`),
      ...(lacking.length > 0 || newer.length > 0
        ? []
        : over.map((name) => `${name} still has a copy of ${id}, which others have`)),
    ];
  }

  /** The version of the copy there, if it is sound. */
  #soundOf({ name, disk, context }: SimNode, id: string): number | undefined {
    const file = disk.files.get(this.#truths.copyPath(name, id));
    return file === undefined || file.isDamaged ? undefined : context?.parts.copy(parseSegmentId(id))?.version;
  }

  #row(id: string): { readonly version: number; readonly vanished: boolean } | undefined {
    const entry = this.#world.metadata.entry(keys.leader);
    if (entry === undefined) return undefined;
    const { session } = decodeDocument(LeaderDocument, keys.leader, entry.value);
    return this.#catalogues.rowOf(session, id);
  }
}
