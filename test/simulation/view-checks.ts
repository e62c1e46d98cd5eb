import { type NodeContext } from '../../src/roles/node-context.ts';
import { NameChecks } from './name-checks.ts';
import { type World } from './world.ts';

/** What a process had counted of the others' silence when it was first seen to be cut off. */
interface CutOff {
  readonly context: NodeContext;
  readonly silentMs: ReadonlyMap<string, number>;
}

/** A connection may come and go again between two looks. */
const SLACK_MS = 1_500;

/** Looks now and then at what each process believes of the others. */
export class ViewChecks {
  readonly #world: World;
  readonly names: NameChecks;
  readonly #cutOff = new Map<string, CutOff>();

  constructor(world: World) {
    this.#world = world;
    this.names = new NameChecks(world);
    world.onLook = () => {
      for (const { machine, context } of world.all) {
        if (context === undefined) continue;
        this.#checkSessions(machine, context);
        this.#checkSilence(machine, context);
      }
      this.#checkLeaders();
      this.names.look();
    };
  }

  /** Whoever is deposed has stopped to believe in itself before another leads; one that stands still believes nothing. */
  #checkLeaders(): void {
    const leading = this.#world.all.filter(
      ({ isRunning, context }) => isRunning && context?.parts.catalogue?.leads() === true,
    );
    if (leading.length > 1)
      this.#world.fail(`${leading.map(({ process }) => process?.name).join(' and ')} lead at the same time`);
  }

  /** No node lives by the word of a session that is known to be over. */
  #checkSessions(name: string, { view }: NodeContext): void {
    for (const { document, beat } of view.nodes()) {
      if (beat === undefined || beat.session === document.session) continue;
      this.#world.fail(`${name} goes by a beat of ${beat.session}, whose place ${document.session} has taken`);
    }
  }

  /** Who is cut off hears nobody, and that is nobody else's silence. */
  #checkSilence(name: string, context: NodeContext): void {
    const before = this.#cutOff.get(name);
    if (context.isConnected()) {
      this.#cutOff.delete(name);
      return;
    }
    if (before?.context !== context) {
      const silentMs = new Map(
        context.view.nodes().map((entry): [string, number] => [entry.document.node, entry.silentMs]),
      );
      this.#cutOff.set(name, { context, silentMs });
      return;
    }
    for (const { document, silentMs } of context.view.nodes()) {
      const grownMs = silentMs - (before.silentMs.get(document.node) ?? Infinity);
      if (grownMs <= SLACK_MS) continue;
      this.#world.fail(
        `${name} counts ${String(Math.round(grownMs))} ms as silence of ${document.node} while it is cut off itself`,
      );
    }
  }
}
