import { type World } from './world.ts';

interface Row {
  readonly version: number;
  /** How many copies the leader took it to have. */
  readonly copies: number;
  /** Since when it is there in this version, ms of the run. */
  readonly since: number;
}

const LOOK_EVERY_MS = 500;

/** What each sync-master knows of the segments that copies are kept of, and since when. */
export class Catalogues {
  readonly #world: World;
  readonly #known = new Map<string, ReadonlyMap<string, Row>>();

  constructor(world: World) {
    this.#world = world;
    this.#look();
  }

  /** The rows that the machine of that process had at a time and still has. */
  knownSince(process: string, time: number): (Row & { readonly id: string })[] {
    const machine = this.#world.machineOf(process);
    const rows = [...(this.#known.get(machine) ?? [])];
    return rows.filter(([, { since }]) => since <= time).map(([id, row]) => ({ id, ...row }));
  }

  /** What the machine of that process has of the segment now; undefined: nothing that was ever published. */
  rowOf(process: string, id: string): { readonly version: number; readonly vanished: boolean } | undefined {
    const machine = this.#world.machineOf(process);
    const node = this.#world.all.find((one) => one.machine === machine);
    const open = node?.disk.databases.get(`/${node.name}/catalogue.sqlite`);
    const sql = 'select version, vanished from segments where id = ? and version > 0';
    const [row] = (open?.prepare(sql).raw().all(id) ?? []) as [number, number][];
    return row === undefined ? undefined : { version: row[0], vanished: row[1] === 1 };
  }

  #look(): void {
    for (const { name, machine, disk, roles } of this.#world.all) {
      if (!roles.includes('sync-master')) continue;
      const open = disk.databases.get(`/${name}/catalogue.sqlite`);
      const sql = "select id, version, copies from segments where tier = 'hot' and version > 0 and vanished = 0";
      const rows = (open?.prepare(sql).raw().all() ?? []) as [string, number, number][];
      const before = this.#known.get(machine);
      const now = new Map(
        rows.map(([id, version, copies]) => {
          const known = before?.get(id);
          const isSame = known?.version === version && known.copies === copies;
          return [id, isSame ? known : { version, copies, since: this.#world.now }];
        }),
      );
      this.#known.set(machine, now);
    }
    this.#world.timeline.after(LOOK_EVERY_MS, () => {
      this.#look();
    });
  }
}
