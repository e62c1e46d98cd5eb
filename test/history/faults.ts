import { setTimeout as pause } from 'node:timers/promises';
import { type Random } from '../simulation/random.ts';
import { type HistoryCluster, type HistoryNode, type Server } from './cluster.ts';
import { post } from './door.ts';
import { type FaultRecord } from './operation.ts';

export interface FaultDeps {
  readonly cluster: HistoryCluster;
  readonly random: Random;
  readonly segments: readonly string[];
  readonly record: (fault: FaultRecord) => void;
}

/** What it is done to, and how it is done and undone. Resolves with why it was not done, if it was not. */
interface Fault {
  readonly target: string;
  readonly run: () => Promise<string | undefined>;
}

const MANAGER_MS = 60_000;
const DRAIN_MS = 20_000;

/** Ways to do something to a cluster of real processes. Each undoes what it did before it ends. */
export class Faults {
  readonly #deps: FaultDeps;
  readonly #busyServers = new Set<Server>();

  constructor(deps: FaultDeps) {
    this.#deps = deps;
  }

  /** One after the other until `signal` fires, with pauses between them; the last one is undone before this resolves. */
  async keepGoing(signal: AbortSignal): Promise<void> {
    const { random, record } = this.#deps;
    const kinds: readonly (readonly [string, number])[] = [
      ['node killed', 4],
      ['node paused', 4],
      ['machine paused', 2],
      ['nats killed', 3],
      ['disk full', 2],
      ['node restarted', 2],
      ['drain', 2],
      ['move-writer', 3],
      ['promote', 3],
      ['release', 3],
    ];
    for (;;) {
      await pause(random.scale(500, 8_000), undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      const name = random.weighted(kinds);
      const fault = name === undefined ? undefined : this.#pick(name);
      if (name === undefined || fault === undefined) continue;
      const beginMs = performance.now();
      const failed = await fault.run().catch((error: unknown) => String(error));
      const why = failed === undefined ? {} : { failed };
      record({ fault: name, target: fault.target, beginMs, endMs: performance.now(), ...why });
    }
  }

  /** undefined: there is nothing to do it to now. */
  #pick(name: string): Fault | undefined {
    switch (name) {
      case 'node killed':
        return this.#onNode((node) => this.#killNode(node));
      case 'node paused':
        return this.#onNode((node) => this.#pauseNode(node, false));
      case 'machine paused':
        return this.#onNode((node) => this.#pauseNode(node, true));
      case 'disk full':
        return this.#onNode(fillDisk, ({ disk }) => disk !== undefined, this.#deps.random.between(5_000, 20_000));
      case 'node restarted':
        return this.#onNode((node) => this.#restartNode(node));
      case 'drain':
        return this.#onNode((node) => this.#drain(node));
      case 'nats killed':
        return this.#onServer((server) => this.#killServer(server));
      default:
        return this.#onSegment(name);
    }
  }

  #onNode(
    run: (node: HistoryNode, forMs: number) => Promise<string | undefined>,
    isFit: (node: HistoryNode) => boolean = () => true,
    forMs = 0,
  ): Fault | undefined {
    const { cluster, random } = this.#deps;
    const node = random.pick(cluster.nodes.filter((one) => !one.busy && one.run !== undefined && isFit(one)));
    if (node === undefined) return undefined;
    node.busy = true;
    return {
      target: node.name,
      run: () =>
        run(node, forMs).finally(() => {
          node.busy = false;
        }),
    };
  }

  async #killNode(node: HistoryNode): Promise<undefined> {
    const { cluster, random } = this.#deps;
    await cluster.endNode(node, 'SIGKILL');
    // Shorter and longer than it takes until its segments go to others.
    await pause(random.scale(100, 25_000));
    await cluster.startNode(node);
  }

  async #pauseNode(node: HistoryNode, whole: boolean): Promise<undefined> {
    const { cluster, random } = this.#deps;
    const resume = await cluster.pauseNode(node, whole);
    await pause(random.between(5_000, 30_000));
    resume();
  }

  async #restartNode(node: HistoryNode): Promise<string | undefined> {
    const { cluster, random } = this.#deps;
    const end = await cluster.endNode(node, 'SIGTERM');
    await pause(random.scale(10, 5_000));
    await cluster.startNode(node);
    return end === 'code 0, signal null' ? undefined : end;
  }

  async #drain({ name }: HistoryNode): Promise<string | undefined> {
    const failed = await this.#ask('v1/drain', { node: name });
    await pause(this.#deps.random.between(1_000, DRAIN_MS));
    for (;;) {
      const stillThere = await this.#ask('v1/undrain', { node: name });
      if (stillThere === undefined) return failed;
      await pause(500);
    }
  }

  #onServer(run: (server: Server) => Promise<undefined>): Fault | undefined {
    const { cluster, random } = this.#deps;
    // Of three one may be away: the others go on.
    if (this.#busyServers.size > 0) return undefined;
    const server = random.pick(cluster.servers);
    if (server === undefined) return undefined;
    this.#busyServers.add(server);
    return { target: server.name, run: () => run(server).finally(() => this.#busyServers.delete(server)) };
  }

  async #killServer(server: Server): Promise<undefined> {
    await server.kill();
    await pause(this.#deps.random.scale(50, 8_000));
    await server.restart();
  }

  #onSegment(name: string): Fault | undefined {
    const { cluster, random, segments } = this.#deps;
    const segment = random.pick(segments);
    if (segment === undefined) return undefined;
    const path = `v1/segments/${segment}/${name}`;
    if (name === 'move-writer') {
      const node = random.pick(cluster.nodes)?.name ?? '';
      return { target: `${segment} to ${node}`, run: () => this.#ask(path, { node }) };
    }
    if (name === 'promote') return { target: segment, run: () => this.#ask(path, {}) };
    return { target: segment, run: () => this.#releaseAndProvision(segment) };
  }

  async #releaseAndProvision(segment: string): Promise<string | undefined> {
    const failed = await this.#ask(`v1/segments/${segment}/release`, {});
    await pause(this.#deps.random.scale(10, 3_000));
    for (;;) {
      const refused = await this.#ask(`v1/segments/${segment}/provision`, {});
      if (refused === undefined) return failed;
      await pause(500);
    }
  }

  /** A manager; why it refused, if it did. */
  async #ask(path: string, body: object): Promise<string | undefined> {
    const { cluster, random } = this.#deps;
    const door = random.pick(cluster.doors());
    if (door === undefined) return 'no node';
    const told = await post(door.manager, path, { body, patienceMs: MANAGER_MS });
    return told.kind === 'ok' ? undefined : told.why;
  }
}

async function fillDisk({ disk }: HistoryNode, forMs: number): Promise<undefined> {
  await disk?.fill();
  await pause(forMs);
  await disk?.makeRoom();
}
