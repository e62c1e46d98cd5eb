import { leaseOf } from './documents.ts';
import { type PlacementChecks } from './placement-checks.ts';
import { type FetchedFile } from './sim-cold.ts';
import { type SimFile } from './sim-disk.ts';
import { type SimNode } from './sim-node.ts';
import { type Truths } from './truths.ts';
import { type World } from './world.ts';

/** A copy that is not asked for any more stays for 60 s; the looks at the placement are some time apart. */
const GRACE_MS = 60_000 - 15_000;
/** A shred takes a while to reach all copies; meanwhile the segment may have been made anew. */
const SHREDDED_MS = 600_000;
/** Between the look at the placement and the removal there is some time. */
const NAMED_MS = 10_000;

/** Looks at every copy that is removed or fetched. */
export class CopyChecks {
  /** Bytes that copies needed, and bytes that were fetched though they were there. */
  neededBytes = 0;
  wastedBytes = 0;
  readonly #world: World;
  readonly #truths: Truths;
  readonly #placements: PlacementChecks;
  /** What each node has had, by node, segment and content, and not lost since. */
  readonly #had = new Set<string>();

  constructor(world: World, truths: Truths, placements: PlacementChecks) {
    this.#world = world;
    this.#truths = truths;
    this.#placements = placements;
    for (const node of world.nodes) {
      node.disk.onRemove = (path, file) => {
        const id = segmentOf(path, `/${node.name}/segments/`);
        if (id !== undefined) this.#removed(node, id, file);
        const lost = segmentOf(path, `/${node.name}/lost+found/copies/`)?.replace(/^\d+\./, '');
        if (lost !== undefined) this.#removedLost(node, lost, file);
      };
      node.disk.onMove = (path, file, from) => {
        const aside = path.includes('/lost+found/') ? segmentOf(from, `/${node.name}/segments/`) : undefined;
        if (aside !== undefined) this.#setAside(node, aside, file);
        const id = segmentOf(path, `/${node.name}/segments/`);
        if (id !== undefined) this.#had.add(keyOf(node.name, id, file.content));
      };
    }
    world.cold.onFetched = (fetched) => {
      this.#fetched(fetched);
    };
  }

  #fetched({ machine, id, to, content }: FetchedFile): void {
    if (!to.includes('.copy-')) return;
    const key = keyOf(machine, id, content);
    const isDamaged = this.#world.node(machine)?.disk.files.get(this.#truths.copyPath(machine, id))?.isDamaged;
    const isThere = this.#had.has(key) && isDamaged === false;
    if (isThere) this.wastedBytes += content.length;
    else this.neededBytes += content.length;
  }

  #removed(node: SimNode, id: string, file: SimFile): void {
    this.#had.delete(keyOf(node.name, id, file.content));
    this.#world.runLog.say('disk', 'a copy goes', { node: node.name, segment: id, damaged: file.isDamaged });
    const current = this.#world.cold.files.get(id)?.content;
    if (file.isDamaged || leaseOf(this.#world, id)?.state === 'shredded') {
      this.#truths.lose(node.name, id);
      return;
    }
    if (current !== undefined && file.content !== current) return;
    const wasShredded = this.#truths.of(id).shredsUntil > this.#world.now - SHREDDED_MS;
    if (current === undefined && !wasShredded && !this.#isElsewhere(node, id, file.content)) {
      this.#world.fail(`${node.name} removed the last good copy of ${id}`);
    }
    if (current === undefined && wasShredded) return;
    const namedMs = this.#placements.namedFor(node.name, id);
    const sinceMs = this.#placements.sinceNamed(node.name, id);
    if (namedMs > NAMED_MS) {
      this.#world.fail(`${node.name} removed its copy of ${id}, for which it was named for ${String(namedMs)} ms`);
    } else if (sinceMs < GRACE_MS && namedMs === 0) {
      this.#world.fail(`${node.name} removed its copy of ${id} ${String(Math.round(sinceMs))} ms after it was named`);
    }
  }

  /** What goes to lost+found is nobody's copy. */
  #setAside(node: SimNode, id: string, file: SimFile): void {
    this.#had.delete(keyOf(node.name, id, file.content));
    this.#world.runLog.say('disk', 'a file is set aside', { node: node.name, segment: id });
    if (node.context?.parts.copy(id as never) !== undefined)
      this.#world.fail(`${node.name} moved its copy of ${id} to lost+found`);
  }

  #removedLost(node: SimNode, id: string, file: SimFile): void {
    this.#world.runLog.say('disk', 'a lost file goes', { node: node.name, segment: id });
    const isAllThereIs =
      !file.isDamaged &&
      !file.content.startsWith('stray') &&
      this.#world.cold.files.get(id) === undefined &&
      this.#truths.of(id).shredsUntil <= this.#world.now - SHREDDED_MS &&
      !this.#isElsewhere(node, id, file.content);
    if (isAllThereIs) this.#world.fail(`${node.name} deleted all there was of ${id} from lost+found`);
  }

  #isElsewhere(node: SimNode, id: string, content: string): boolean {
    return this.#world.all.some((other) => {
      if (other === node) return false;
      const file = other.disk.files.get(this.#truths.copyPath(other.name, id));
      return file?.content === content && !file.isDamaged;
    });
  }
}

function segmentOf(path: string, directory: string): string | undefined {
  if (!path.startsWith(directory)) return undefined;
  return path.slice(path.lastIndexOf('/') + 1, -'.sqlite'.length);
}

function keyOf(node: string, id: string, content: string): string {
  return `${node} ${id} ${content}`;
}
