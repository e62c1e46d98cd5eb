import { TroughError } from '../../src/errors.ts';
import { movedBetween } from '../../src/model/placement.ts';
import { withMark } from '../support/marked-content.ts';
import { type Chains } from './chains.ts';
import { leaseOf, leases, placementOf, placesBy, ruleOf, treatmentBy } from './documents.ts';
import { isSameWish, NO_WISH } from './rule-truth.ts';
import { type SimNode } from './sim-node.ts';
import { type Truths } from './truths.ts';
import { type VanishedChecks } from './vanished-checks.ts';
import { type Workload } from './workload.ts';
import { type World } from './world.ts';

/** After the faults: what is still not as it should be, a sentence each. */
export class Ending {
  readonly #world: World;
  readonly #truths: Truths;
  readonly #workload: Workload;
  readonly #chains: Chains | undefined;
  readonly #vanished: VanishedChecks;

  constructor(world: World, truths: Truths, workload: Workload, chains: Chains | undefined, vanished: VanishedChecks) {
    this.#vanished = vanished;
    this.#chains = chains;
    this.#world = world;
    this.#truths = truths;
    this.#workload = workload;
  }

  /** Nodes that run to the end. */
  get #alive(): readonly SimNode[] {
    return this.#world.nodes.filter(({ process }) => process !== undefined);
  }

  problems(): string[] {
    const held = leases(this.#world).filter(({ state, node }) => state === 'held' && this.#isAlive(node));
    return [
      ...this.#alive.filter(({ context }) => context === undefined).map(({ name }) => `${name} is not up`),
      ...held.map(({ segment, node }) => `${segment} is still held by ${node}`),
      ...this.#ofPlacement(),
      ...this.#ofRules(),
      ...this.#ofCopies(),
      ...this.#ofFiles(),
      ...this.#vanished.problems(this.#alive),
      ...(this.#chains?.endProblems() ?? []),
    ];
  }

  #isAlive(name: string): boolean {
    return this.#alive.some((node) => node.name === name);
  }

  /** What everybody is to answer; undefined for a segment that is gone, whatever lies in cold storage. */
  #expected(id: string): string | undefined {
    return leaseOf(this.#world, id)?.state === 'shredded' ? undefined : this.#world.cold.files.get(id)?.content;
  }

  #ofPlacement(): string[] {
    const placement = placementOf(this.#world);
    if (placement === undefined) return ['there is no placement'];
    const { target, serving } = placement;
    const names = [...this.#keepers];
    const problems: string[] = [];
    if ([...target.nodes].sort().join() !== names.sort().join()) {
      problems.push(`the placement is for ${target.nodes.join()}, and there are ${names.join()}`);
    }
    if (serving.ranks !== target.ranks || movedBetween(serving, target) > 0)
      problems.push('it is not served as placed');
    return problems;
  }

  /** Nodes that copies are to be on. */
  get #keepers(): readonly string[] {
    return this.#alive
      .filter(({ name, roles }) => roles.includes('sync-local') && this.#world.drained.get(name) !== Infinity)
      .map(({ name }) => name);
  }

  /** What was asked for is there, and nothing else. */
  #ofRules(): string[] {
    const { wanted } = this.#truths.rules;
    return this.#workload.ids.flatMap((id) => {
      const wish = wanted.get(id);
      const rule = ruleOf(this.#world, id);
      const isThere = wish === undefined || isSameWish(rule ?? NO_WISH, wish);
      const isEmpty = rule !== undefined && isSameWish(rule, NO_WISH) && rule.hot === null;
      return [
        ...(isThere ? [] : [`the rule of ${id} is not the one that was asked for`]),
        ...(rule !== undefined && rule.hot !== null ? [`${id} is still taken for one that is read much`] : []),
        ...(isEmpty ? [`the rule of ${id} says nothing, and is still there`] : []),
      ];
    });
  }

  #ofCopies(): string[] {
    const placement = placementOf(this.#world);
    if (placement === undefined) return [];
    const problems: string[] = [];
    for (const id of this.#workload.ids) {
      const rule = ruleOf(this.#world, id);
      const named = placesBy(this.#world, placement, id, rule).target;
      const { copies, tier } = treatmentBy(this.#world, id, rule);
      const current = this.#expected(id);
      const most = tier === 'cold' || current === undefined ? 0 : Math.min(copies, this.#keepers.length);
      if (named.length < most)
        problems.push(`${id} is to have ${String(most)} copies, and is placed on ${named.join()}`);
      for (const node of this.#alive) {
        const problem = this.#ofCopy(node, id, named.includes(node.name), current);
        if (problem !== undefined) problems.push(`${node.name} has ${problem} of ${id}`);
      }
    }
    return problems;
  }

  /** Whatever lies where the copies are is one, and sound; one that vanished from cold storage is there somewhere if it was. */
  #ofFiles(): string[] {
    const problems: string[] = [];
    for (const { name, disk, context } of this.#alive) {
      const directory = `/${name}/segments/`;
      for (const [path, file] of disk.files) {
        if (!path.startsWith(directory)) continue;
        const id = path.slice(path.lastIndexOf('/') + 1, -'.sqlite'.length);
        const isRecorded = context?.parts.copy(id as never) !== undefined;
        if (!isRecorded && !this.#isKeptFor(id)) problems.push(`${name} has a file of ${id} that is no copy`);
        if (isRecorded && file.isDamaged) problems.push(`${name} serves a damaged copy of ${id}`);
      }
    }
    return problems;
  }

  /** A damaged file of what has vanished may be all there is. */
  #isKeptFor(id: string): boolean {
    return this.#expected(id) === undefined && leaseOf(this.#world, id)?.state !== 'shredded';
  }

  #ofCopy(
    { name, disk, context }: SimNode,
    id: string,
    isNamed: boolean,
    current: string | undefined,
  ): string | undefined {
    const file = disk.files.get(this.#truths.copyPath(name, id));
    const recorded = context?.parts.copy(id as never);
    if (current === undefined) {
      const isShredded = leaseOf(this.#world, id)?.state === 'shredded';
      return isShredded && recorded !== undefined ? 'a copy that was shredded' : undefined;
    }
    if (!isNamed) return recorded === undefined ? undefined : 'a copy that it is not to have';
    if (file === undefined || recorded === undefined) return 'no copy';
    if (file.content !== current) return 'an old copy';
    if (file.isDamaged) return 'a damaged copy';
    return undefined;
  }

  /** Every segment by every reader; `isStrict`: each must answer, with what cold storage has. */
  async readAll(isStrict: boolean): Promise<void> {
    for (const id of this.#workload.ids) {
      const lease = leaseOf(this.#world, id);
      const isStuck = lease?.state === 'held' && !this.#isAlive(lease.node);
      for (const node of this.#alive) {
        if (isStuck || node.process === undefined) continue;
        try {
          const content = await this.#workload.readBy(node.name, id, 'strong');
          const expected = this.#expected(id);
          if (isStrict && expected !== undefined && withMark(content, 0) !== expected) {
            this.#world.fail(
              `at the end ${node.name} answers ${brief(content)} for ${id}, and it is ${brief(expected)}`,
            );
          }
        } catch (error) {
          const { code, message } = TroughError.from(error);
          this.#world.runLog.say('ending', `${id} by ${node.name}: ${code} ${message}`);
          if (isStrict && this.#expected(id) !== undefined) {
            this.#world.fail(`at the end ${node.name} does not answer for ${id}: ${code} ${message}`);
          }
        }
      }
    }
  }
}

function brief(content: string): string {
  return content.replaceAll('\n', ' ').slice(-60);
}
