import { type World } from './world.ts';

interface Row {
  readonly version: number;
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

  /** By id: the rows that the machine had at a time and still has. */
  knownSince(machine: string, time: number): [id: string, version: number][] {
    const rows = [...(this.#known.get(machine) ?? [])];
    return rows.filter(([, { since }]) => since <= time).map(([id, { version }]) => [id, version]);
  }

  #look(): void {
    for (const { name, disk, roles } of this.#world.nodes) {
      if (!roles.includes('sync-master')) continue;
      const open = disk.databases.get(`/${name}/catalogue.sqlite`);
      const sql = "select id, version from segments where tier = 'hot' and version > 0 and vanished = 0";
      const rows = (open?.prepare(sql).raw().all() ?? []) as [string, number][];
      const before = this.#known.get(name);
      const now = new Map(
        rows.map(([id, version]) => {
          const known = before?.get(id);
          return [id, known?.version === version ? known : { version, since: this.#world.now }];
        }),
      );
      this.#known.set(name, now);
    }
    this.#world.timeline.after(LOOK_EVERY_MS, () => {
      this.#look();
    });
  }
}
