import { TroughError } from '../../../errors.ts';
import { type SurveyAnswer } from '../../../messages/rebuild.ts';
import { parseSegmentId } from '../../../model/segment-id.ts';
import { type HotClaim, judgeHot, type Verdict } from './hot-claims.ts';
import { type RebuildDeps } from './rebuild-deps.ts';
import { type RebuildJournal } from './rebuild-journal.ts';
import { type RebuildReport } from './rebuild-report.ts';
import { type RebuildRow } from './rebuild-rows.ts';
import { isUndecided, type RebuiltLeases } from './rebuilt-leases.ts';

const BATCH = 1_000;

/** From the files of segments that were open for writing: a lease for the node that has the newest state. Whoever has another keeps it. */
export class RebuildHot {
  readonly #deps: RebuildDeps;
  readonly #report: RebuildReport;
  readonly #leases: RebuiltLeases;
  readonly #take: Readonly<Record<string, string>>;
  readonly #claims = new Map<string, HotClaim[]>();

  constructor(deps: RebuildDeps, report: RebuildReport, leases: RebuiltLeases, take: Readonly<Record<string, string>>) {
    this.#deps = deps;
    this.#report = report;
    this.#leases = leases;
    this.#take = take;
  }

  async collect(node: string, signal: AbortSignal): Promise<SurveyAnswer['remembers']> {
    let remembers: string | null = null;
    for (let after: string | undefined = ''; after !== undefined;) {
      signal.throwIfAborted();
      const page: SurveyAnswer = await this.#deps.survey(node, { what: 'hot', after });
      remembers = page.remembers;
      for (const file of page.hot) {
        const claims = this.#claims.get(file.segment) ?? [];
        claims.push({ ...file, node });
        this.#claims.set(file.segment, claims);
        this.#report.counts.hotFiles += 1;
      }
      after = page.next;
    }
    return remembers;
  }

  async settle(journal: RebuildJournal, signal: AbortSignal): Promise<void> {
    const segments = new Set([...this.#claims.keys(), ...Object.keys(this.#take)]);
    const ids = [...segments];
    for (let at = 0; at < ids.length; at += BATCH) {
      const some = ids.slice(at, at + BATCH);
      const rows = await this.#deps.rows.of(some);
      for (const segment of some) {
        signal.throwIfAborted();
        await this.#settle(segment, journal, rows.get(segment));
      }
    }
  }

  async #settle(segment: string, journal: RebuildJournal, row: RebuildRow | undefined): Promise<void> {
    const claims = this.#claims.get(segment) ?? [];
    const before = await this.#leases.of(segment);
    const take = this.#take[segment];
    const place = journal.placeOf(segment);
    // Of a run before this one, or granted since: its holder's file is the one that counts.
    if (take === undefined && before?.state === 'held' && claims.every(({ node }) => node === before.node)) return;
    if (take === undefined && before !== undefined && isUndecided(before)) {
      const between = before.node.split(' or ');
      await this.#leases.hold(segment, between, {});
      this.#undecided(segment, between);
      return;
    }
    const cold = row?.isInCold === true ? row : undefined;
    const verdict = await judgeHot(claims, {
      journal: place,
      coldModifiedMs: cold?.modifiedMs,
      take,
      stateOf: (node) => this.#stateOf(node, segment),
      coldSha256: () => this.#coldSha256(segment, cold),
    });
    await this.#write(segment, verdict, row);
  }

  async #write(segment: string, verdict: Verdict, row: RebuildRow | undefined): Promise<void> {
    const facts = factsOf(row);
    switch (verdict.kind) {
      case 'elsewhere':
        // The journal writes its own leases behind this.
        if (this.#take[segment] === 'cold') await this.#leases.take({ segment, state: 'released', ...facts });
        return;
      case 'undecided': {
        const isHeld = await this.#leases.hold(segment, verdict.between, facts);
        if (!isHeld) this.#besideLease(segment, verdict.between);
        else this.#undecided(segment, verdict.between);
        return;
      }
      case 'node':
        await this.#grant(segment, verdict, facts);
    }
  }

  /** Its file is the newest state there is, and not in cold storage. */
  async #grant(
    segment: string,
    { node, isCut }: Extract<Verdict, { kind: 'node' }>,
    facts: ReturnType<typeof factsOf>,
  ): Promise<void> {
    const session = this.#deps.view.node(node)?.document.session ?? 'gone';
    const lease = { segment, state: 'held', ...facts, node, session, unpromoted: true } as const;
    const isTaken = this.#take[segment] !== undefined;
    const isOurs = isTaken
      ? (await this.#leases.take(lease)) !== undefined
      : (await this.#leases.propose(lease)).isOurs;
    if (!isOurs) {
      this.#besideLease(segment, [node]);
      return;
    }
    if (!isCut) return;
    const why = `taken from the file on ${node}: the journal that it follows is gone, and with it a write that was not in the file yet when the power failed, if there was one`;
    this.#report.find('journal-gone', why, { segment, node });
  }

  #undecided(segment: string, between: readonly string[]): void {
    const words = between.map((place) => `--take ${segment}=${place}`).join(' or ');
    const why = `${between.join(' and ')} each have a state of it, and nothing tells which is the newest: nobody may write it until you say ${words}`;
    this.#report.find('two-states', why, { segment });
  }

  #besideLease(segment: string, nodes: readonly string[]): void {
    const why = `${nodes.join(' and ')} has a file of it beside the lease that there is; the file is kept where it is, under hot/ in the data directory`;
    this.#report.find('two-states', why, { segment });
  }

  async #stateOf(node: string, segment: string): Promise<SurveyAnswer['state']> {
    try {
      return (await this.#deps.survey(node, { what: 'state', segment })).state;
    } catch (error) {
      const { code } = TroughError.from(error);
      if (code === 'SEGMENT_DAMAGED') return null;
      throw error;
    }
  }

  async #coldSha256(segment: string, row: RebuildRow | undefined): Promise<string | undefined> {
    if (row === undefined) return undefined;
    return row.sha256 ?? (await this.#deps.cold.checksum(parseSegmentId(segment)));
  }
}

/** What the lease is to say of cold storage. */
function factsOf(row: RebuildRow | undefined): {
  readonly schema: string;
  readonly version: number | null;
  readonly sha256: string | null;
  readonly sizeBytes: number | null;
} {
  const schema = row?.schema ?? 'default';
  if (row?.isInCold !== true) return { schema, version: null, sha256: null, sizeBytes: null };
  return { schema, version: row.version, sha256: row.sha256, sizeBytes: row.sizeBytes };
}
