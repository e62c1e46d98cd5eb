import { TroughError } from '../../src/errors.ts';
import { type Consistency } from '../../src/messages/reading.ts';
import { type Chains } from './chains.ts';
import { type Client, type WriteTold } from './client.ts';
import { leases } from './documents.ts';
import { type Random } from './random.ts';
import { tokensOf } from './truth.ts';
import { type Truths } from './truths.ts';
import { type World } from './world.ts';

type Request = (id: string) => unknown;

/** Segments that clients write; by their first letter they have one copy, three, or as many as is usual. */
const WRITTEN = ['s1', 's2', 's3', 's4', 's5', 'x1', 'x2', 'y1', 'y2'];
/** Segments that somebody else puts into cold storage. */
const FOREIGN = ['f1', 'f2', 'f3', 'f4', 'f5', 'f6', 'f7', 'f8', 'c1', 'c2', 'x7', 'x8', 'x9', 'y8', 'y9'];
const MOST_AT_ONCE = 40;
/** Characters: three of them are worth a preparation. */
const LONG_WRITE = 50_000;
/** A request whose outcome is not known may still be carried out for so long. */
const AFTERWARDS_MS = 60_000;
/** What is said to a name is with both of its processes for that long. */
const CLAIMED_MS = 1_000;
/** Request ids are known for two minutes. */
const REPEATED_FOR_MS = 80_000;

interface Seen {
  readonly tokens: ReadonlySet<string>;
  readonly until: number;
}

/** Requests of clients, and what their answers must be. */
export class Workload {
  readonly counts = new Map<string, number>();
  readonly #world: World;
  readonly #truths: Truths;
  readonly #client: Client;
  /** Absent: what is written is on the nodes' own disks. */
  readonly #chains: Chains | undefined;
  readonly #random: Random;
  /** What each process has shown of each segment. */
  readonly #seen = new Map<string, Seen>();
  #tokens = 0;
  #under = 0;
  #isOver = false;

  constructor(world: World, truths: Truths, client: Client, random: Random, chains: Chains | undefined) {
    this.#world = world;
    this.#truths = truths;
    this.#client = client;
    this.#chains = chains;
    this.#random = random;
    for (const id of FOREIGN) if (random.chance(0.6)) this.#put(id);
    this.#next();
  }

  /** All that are used. */
  get ids(): readonly string[] {
    return [...WRITTEN, ...FOREIGN];
  }

  end(): void {
    this.#isOver = true;
  }

  /** Requests that are not answered yet. */
  get underWay(): number {
    return this.#under;
  }

  #next(): void {
    this.#world.timeline.after(this.#world.plan.requestEveryMs * this.#random.between(0.1, 2), () => {
      if (this.#isOver) return;
      if (this.#under < MOST_AT_ONCE) this.#start();
      this.#next();
    });
  }

  #start(): void {
    const written = this.#writable() ?? 's1';
    const foreign = this.#random.pick(FOREIGN) ?? 'f1';
    const any = this.#random.chance(0.6) ? written : foreign;
    const kinds: readonly (readonly [readonly [string, Request, string], number])[] = [
      [['provision', (id) => this.#provision(id), written], 6],
      [['write', (id) => this.#write(id), written], 30],
      [['promote', (id) => this.#client.control.promote({ segment: id }), written], 5],
      [['release', (id) => this.#client.control.release({ segment: id }), written], 4],
      [['move writer', (id) => this.#move(id), written], this.#chains === undefined ? 0 : 3],
      [['shred', (id) => this.#shred(id), written], 0.7],
      [['read', (id) => this.#read(id, 'strong'), any], 30],
      [['read any', (id) => this.#read(id, 'any'), any], 10],
      [['foreign file', this.#put, foreign], 1.5],
      [['foreign file vanishes', this.#vanish, foreign], 0.3],
    ];
    const [kind, request, id] = this.#random.weighted(kinds) ?? [];
    if (kind === undefined || request === undefined || id === undefined) return;
    this.#under += 1;
    void this.#run(kind, id, request).finally(() => {
      this.#under -= 1;
    });
  }

  /** Mostly one that is open for writing. */
  #writable(): string | undefined {
    const held = leases(this.#world).filter(({ state }) => state === 'held');
    const isAny = held.length === 0 || this.#random.chance(0.3);
    return this.#random.pick(isAny ? WRITTEN : held.map(({ segment }) => segment));
  }

  async #run(kind: string, id: string, request: Request): Promise<void> {
    let outcome = 'ok';
    try {
      const result = await request(id);
      if (typeof result === 'string') outcome = result;
    } catch (error) {
      outcome = TroughError.from(error).code;
    }
    this.#world.runLog.say('client', `${kind} ${id}: ${outcome}`);
    const counted = `${kind}: ${outcome === 'ok' || outcome === 'kept' ? 'done' : 'failed'}`;
    this.counts.set(counted, (this.counts.get(counted) ?? 0) + 1);
  }

  async #provision(id: string): Promise<void> {
    this.#truths.of(id).provisionBegins();
    await this.#client.control.provision({ segment: id });
  }

  async #write(id: string): Promise<string> {
    this.#tokens += 1;
    const token = `w${String(this.#tokens)}`;
    const truth = this.#truths.of(id);
    truth.ask(token, this.#world.now);
    const isBad = this.#chains !== undefined && this.#random.chance(0.05);
    const askedAt = this.#world.now;
    const said = await (isBad ? this.#client.write(id, `fail ${token}`, token) : this.#writeOnce(id, token));
    // Two processes of one name both hear what is said to it: the one that refuses it knows nothing of the other.
    const isShared = said.fate === 'refused' && this.#world.claimedUntil >= askedAt - CLAIMED_MS;
    const told: WriteTold = isShared ? { fate: 'unknown' } : said;
    truth.tell(token, told.fate, this.#world.now);
    if (told.fate === 'kept') this.#chains?.acknowledged(id, token, told.sequence);
    else if (told.fate === 'refused') this.#chains?.refused(id, token);
    return told.fate === 'kept' ? told.fate : `${told.fate} ${token}`;
  }

  /** The same each time that it is sent. */
  #sqlOf(token: string): string {
    const isLong = Number(token.slice(1)) % this.#world.plan.longWriteEvery === 0;
    return isLong ? token.padEnd(LONG_WRITE) : token;
  }

  /** However often it is sent. Without a journal a node that is started again knows nothing of the first time. */
  async #writeOnce(id: string, token: string): Promise<WriteTold> {
    const sql = this.#sqlOf(token);
    if (this.#chains === undefined) return this.#client.write(id, sql);
    const until = this.#world.now + this.#random.between(0, REPEATED_FOR_MS);
    let isOpen = false;
    for (;;) {
      const told = await this.#client.write(id, sql, token, this.#random.chance(0.3) ? 2_000 : undefined);
      if (told.fate === 'kept') {
        if (this.#random.chance(0.1)) await this.#again(id, token, told.sequence);
        return told;
      }
      isOpen ||= told.fate === 'unknown';
      const isOver = this.#world.now > until || (!isOpen && this.#random.chance(0.5));
      if (isOver) return { fate: isOpen ? 'unknown' : 'refused' };
      await this.#pause(this.#random.scale(100, 10_000));
    }
  }

  /** Whoever asks once more under the same id is told the same. */
  async #again(id: string, token: string, sequence: number): Promise<void> {
    await this.#pause(this.#random.scale(10, 20_000));
    const told = await this.#client.write(id, this.#sqlOf(token), token);
    if (told.fate === 'kept' && told.sequence !== sequence && !this.#isVoid(id, token))
      this.#world.fail(`${token} of ${id} is at ${String(sequence)}, and then at ${String(told.sequence)}`);
  }

  #isVoid(id: string, token: string): boolean {
    return this.#truths.of(id).writes.get(token)?.isVoid === true;
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#world.timeline.after(ms, resolve));
  }

  async #move(id: string): Promise<void> {
    const node = this.#random.pick(this.#world.nodes)?.name ?? '';
    await this.#client.control.moveWriter({ segment: id, node });
  }

  async #shred(id: string): Promise<void> {
    const truth = this.#truths.of(id);
    truth.shredBegins();
    let isDone = false;
    try {
      await this.#client.control.shred({ segment: id, force: this.#random.chance(0.5) });
      isDone = true;
    } finally {
      truth.shredEnds(this.#world.now + (isDone ? 0 : AFTERWARDS_MS), isDone);
    }
  }

  async #read(id: string, consistency: Consistency): Promise<void> {
    const node = this.#random.pick(this.#world.nodes.filter(({ context }) => context !== undefined));
    if (node?.process === undefined) return;
    await this.readBy(node.name, id, consistency);
  }

  /** One segment, again and again, by one node after another; `everyMs` on average. */
  async readMuch(id: string, everyMs: number, isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await this.#pause(everyMs * this.#random.between(0.5, 1.5));
      if (this.#under >= MOST_AT_ONCE) continue;
      this.#under += 1;
      const read = this.#run('read much', id, () => this.#read(id, this.#random.chance(0.8) ? 'any' : 'strong'));
      void read.finally(() => {
        this.#under -= 1;
      });
    }
  }

  /** Asks one node, and looks at what it says. Throws what it answers. */
  async readBy(node: string, id: string, consistency: Consistency): Promise<string> {
    const askedAt = this.#world.now;
    const truth = this.#truths.of(id);
    const mustShow = consistency === 'strong' ? truth.mustShow(askedAt) : [];
    const { content, version, node: by } = await this.#client.read(node, id, consistency);
    const tokens = tokensOf(content);
    const where = `${node} (by ${by}, version ${version})`;
    const refused = truth.mustNotShow().find((token) => tokens.has(token));
    if (refused !== undefined) this.#world.fail(`${where} shows ${refused} of ${id}, which was refused`);
    if (WRITTEN.includes(id)) this.#chains?.shown(id, content, where);
    const still = new Set(truth.mustShow(askedAt));
    const missing = mustShow.find((token) => still.has(token) && !tokens.has(token));
    if (missing !== undefined) this.#world.fail(`${where} does not show ${missing} of ${id}, which was kept`);
    if (consistency === 'strong') this.#goesOn(id, askedAt, tokens, where);
    return content;
  }

  /** What one node has shown of a segment all of them show from then on. */
  #goesOn(id: string, askedAt: number, tokens: ReadonlySet<string>, where: string): void {
    const seen = this.#seen.get(id);
    const truth = this.#truths.of(id);
    if (seen !== undefined && seen.until < askedAt && truth.shredsUntil < seen.until) {
      const gone = [...seen.tokens].find((token) => !tokens.has(token) && truth.writes.get(token)?.isVoid === false);
      if (gone !== undefined) this.#world.fail(`${where} showed ${gone} of ${id} before, and does not any more`);
    }
    if (seen === undefined || seen.until < askedAt) this.#seen.set(id, { tokens, until: this.#world.now });
  }

  readonly #put = (id: string): void => {
    this.#tokens += 1;
    this.#world.cold.put(id, `foreign-${String(this.#tokens)}\n`);
    this.#world.runLog.say('client', 'puts a file into cold storage', { segment: id, token: this.#tokens });
  };

  readonly #vanish = (id: string): void => {
    this.#world.cold.vanish(id);
  };

  /** Gives every lease up, so that all that was written is in cold storage, and shreds once more what was shredded by half. */
  async tidyUp(): Promise<void> {
    const { control } = this.#client;
    for (const { segment, state } of leases(this.#world)) {
      if (state === 'held') await this.#run('last release', segment, () => control.release({ segment }));
      if (state === 'shredded' && this.#world.cold.files.has(segment)) {
        await this.#run('last shred', segment, () => control.shred({ segment, force: false }));
      }
    }
  }
}
