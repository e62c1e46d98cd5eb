import { type FaultKind } from './fault-kinds.ts';
import { type Random } from './random.ts';
import { CALM_JOURNAL, type SimJournal } from './sim-journal.ts';
import { type SimNode } from './sim-node.ts';
import { type World } from './world.ts';

export interface WriteFaultsDeps {
  readonly world: World;
  readonly random: Random;
  /** After so many ms, or when the faults end. */
  readonly undoneAfter: (ms: number, undo: () => void) => true;
  readonly isOver: () => boolean;
}

/** So many things reach a process between the begin of what it does with a journal and the end. */
const STEPS = 60;
/** And between an intent and what it is for. */
const STEPS_TO_RENAME = 8;
/** The records with which most of what can be cut off begins. */
const MOMENTS = ['any', 'data', 'claim', 'intent', 'intent', 'closed'] as const;

/** What goes wrong with the journal, and with the processes that use it: in the midst of what they do, wherever that is. */
export class WriteFaults {
  readonly #deps: WriteFaultsDeps;
  /** Of each machine, what is to happen when its process appends such a record. */
  readonly #armed = new Map<string, { readonly at: string; readonly act: () => void }>();

  constructor(deps: WriteFaultsDeps) {
    this.#deps = deps;
    const { journal } = deps.world;
    if (journal === undefined) return;
    journal.onAsk = (machine, kind) => {
      const armed = this.#armed.get(machine);
      if (armed === undefined || (armed.at !== 'any' && armed.at !== kind)) return;
      this.#armed.delete(machine);
      armed.act();
    };
  }

  get kinds() {
    return {
      'crash at a step': (node) => this.#atStep(node, () => this.#crash(node)),
      'pause at a step': (node) =>
        this.#atStep(node, () => {
          this.#pause(node);
        }),
      'power loss': (node) => this.#crash(node, true),
      'journal restart': () => this.#withJournal((journal) => this.#restart(journal)),
      'journal loses messages': () =>
        this.#weather(() => ({ ...CALM_JOURNAL, lostThere: this.#share(), lostBack: this.#share() })),
      'journal slow': () =>
        this.#weather(() => ({ ...CALM_JOURNAL, delayMs: this.#deps.random.scale(5, 500), slow: this.#share() })),
      'journal full': () =>
        this.#withJournal((journal) => {
          journal.setFull(true);
          return this.#deps.undoneAfter(this.#deps.random.between(2_000, 30_000), () => {
            journal.setFull(false);
          });
        }),
      'hot file damaged': (node) => this.#damage(node),
    } satisfies Partial<Record<FaultKind, (node: SimNode) => boolean>>;
  }

  #share(): number {
    return this.#deps.random.scale(0.01, 0.5);
  }

  #withJournal(act: (journal: SimJournal) => boolean): boolean {
    const { journal } = this.#deps.world;
    return journal !== undefined && act(journal);
  }

  #restart(journal: SimJournal): boolean {
    if (!journal.isUp) return false;
    journal.isUp = false;
    return this.#deps.undoneAfter(this.#deps.random.scale(500, 30_000), () => {
      journal.isUp = true;
    });
  }

  #weather(draw: () => SimJournal['weather']): boolean {
    return this.#withJournal((journal) => {
      if (journal.weather !== CALM_JOURNAL) return false;
      journal.weather = draw();
      return this.#deps.undoneAfter(this.#deps.random.between(3_000, 40_000), () => {
        journal.weather = CALM_JOURNAL;
      });
    });
  }

  /** Soon after its process next appends something: between any two things that it waits for. */
  #atStep(node: SimNode, act: () => void): boolean {
    if (this.#deps.world.journal === undefined || !node.isRunning || !node.roles.includes('writer')) return false;
    const at = this.#deps.random.pick(MOMENTS) ?? 'any';
    const steps = Math.ceil(this.#deps.random.scale(1, at === 'intent' ? STEPS_TO_RENAME : STEPS));
    const unlessOver = (): void => {
      if (!this.#deps.isOver()) act();
    };
    this.#armed.set(node.name, { at, act: () => node.process?.interrupt(steps, unlessOver) });
    return true;
  }

  #crash(node: SimNode, isPowerLoss = this.#deps.random.chance(0.3)): boolean {
    if (isPowerLoss) node.losePower();
    else node.kill();
    return this.#deps.undoneAfter(this.#awayMs(), () => {
      node.start();
    });
  }

  #pause(node: SimNode): void {
    node.pause();
    this.#deps.undoneAfter(this.#awayMs(), () => {
      node.wake(false);
    });
  }

  /** Shorter or longer than it takes until its leases go to others. */
  #awayMs(): number {
    const { random } = this.#deps;
    return random.chance(0.5) ? random.scale(500, 10_000) : random.between(15_000, 60_000);
  }

  #damage({ disk, name }: SimNode): boolean {
    if (this.#deps.world.journal === undefined) return false;
    const hot = [...disk.files].filter(([path]) => path.startsWith(`/${name}/hot/`) && path.endsWith('.sqlite'));
    const [path, file] = this.#deps.random.pick(hot) ?? [];
    if (path === undefined || file === undefined) return false;
    disk.files.set(path, { ...file, isDamaged: true });
    return true;
  }
}
