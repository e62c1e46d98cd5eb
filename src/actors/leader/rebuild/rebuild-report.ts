import {
  type RebuildAnswer,
  type RebuildFinding,
  type RebuildFindingKind,
  type RebuildPhase,
} from '../../../messages/rebuild.ts';

type Counts = { -readonly [Name in keyof RebuildAnswer['counts']]: number };

/** Of one kind, so many are told one by one; the rest are counted. */
const MOST_OF_A_KIND = 1_000;

/** What a rebuild has done so far, and what it could not settle. */
export class RebuildReport {
  readonly job: string;
  readonly dryRun: boolean;
  readonly counts: Counts = {
    ...{ nodes: 0, journalKeys: 0, hotFiles: 0, copies: 0, segments: 0 },
    ...{ held: 0, released: 0, shredded: 0, kept: 0, schemas: 0, rules: 0, opened: 0 },
  };
  phase: RebuildPhase = 'listing';
  failure: { readonly code: string; readonly message: string } | null = null;
  readonly #findings: RebuildFinding[] = [];
  readonly #ofKind = new Map<RebuildFindingKind, number>();

  constructor(job: string, dryRun: boolean) {
    this.job = job;
    this.dryRun = dryRun;
  }

  find(kind: RebuildFindingKind, why: string, about: { readonly segment?: string; readonly node?: string } = {}): void {
    const many = (this.#ofKind.get(kind) ?? 0) + 1;
    this.#ofKind.set(kind, many);
    if (many > MOST_OF_A_KIND) return;
    this.#findings.push({ kind, segment: about.segment ?? null, node: about.node ?? null, why });
  }

  /** Says of each kind how many were too many to be told. */
  sum(): void {
    for (const [kind, many] of this.#ofKind) {
      if (many <= MOST_OF_A_KIND) continue;
      const why = `and ${String(many - MOST_OF_A_KIND)} more of this kind`;
      this.#findings.push({ kind, segment: null, node: null, why });
    }
  }

  answer(from: number): RebuildAnswer {
    const { job, phase, dryRun, counts, failure } = this;
    return { job, phase, dryRun, counts: { ...counts }, findings: this.#findings.slice(from), failure };
  }
}
