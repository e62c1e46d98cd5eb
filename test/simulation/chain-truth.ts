import { type SegmentRecord } from '../../src/messages/journal-record.ts';
import { type WriteRequest } from '../../src/model/sql-types.ts';
import { withMark } from '../support/marked-content.ts';

/** A segment from its making to its shredding: what was written to it, in the order of the journal. */
export interface Life {
  /** The lines that its file may begin with: an unused beginning is made anew. */
  readonly bases: Set<string>;
  readonly tokens: string[];
  /** Of each token, its place among them and its record's sequence. */
  readonly places: Map<string, { readonly at: number; readonly sequence: number }>;
}

/** A state of a segment: so many of the writes of one life. */
export interface Shown {
  readonly life: Life;
  readonly count: number;
}

/** One segment as its journal took it in: nothing that is purged is forgotten here. */
export class ChainTruth {
  readonly lives: Life[] = [newLife()];
  #epoch = 0;
  #claimant = '';
  #isShredded = false;
  #highestVersion = 0;

  get life(): Life {
    return this.lives.at(-1) ?? newLife();
  }

  /** What is wrong with the record that was appended behind `after`; undefined: nothing. */
  take(record: SegmentRecord, sequence: number, after: number): string | undefined {
    return (
      this.#headProblem(record, after) ??
      (record.kind === 'claim' ? this.#claim(record) : this.#unlessEnded(record, sequence))
    );
  }

  /** Which state a file with that content is; undefined: none that there ever was. */
  place(content: string): Shown | undefined {
    const [base = '', ...lines] = withMark(content, 0).split('\n').slice(0, -1);
    const life = this.lives.findLast(
      ({ bases, tokens }) => bases.has(base) && lines.every((line, at) => tokens[at] === line),
    );
    return life === undefined ? undefined : { life, count: lines.length };
  }

  #headProblem({ kind, epoch, previous }: SegmentRecord, after: number): string | undefined {
    const before = this.#epoch;
    this.#epoch = Math.max(before, epoch);
    if (previous !== after) return `a record that says it follows ${String(previous)} follows ${String(after)}`;
    if (epoch < before) return `a record (${kind}) of epoch ${String(epoch)} behind one of ${String(before)}`;
    return undefined;
  }

  #claim({ epoch, session, creation }: Extract<SegmentRecord, { kind: 'claim' }>): string | undefined {
    const claimant = `${session} in ${String(epoch)}`;
    const isOther = claimant !== this.#claimant;
    const wasShredded = this.#isShredded;
    const isUsed = this.#claimant.endsWith(` in ${String(epoch)}`);
    this.#claimant = claimant;
    this.#isShredded = false;
    if (isOther && isUsed) return `${session} claims an epoch that was claimed before, ${String(epoch)}`;
    if (wasShredded && creation === undefined) return `${session} goes on from what was shredded`;
    if (creation === undefined) return undefined;
    this.life.bases.add(`base-${creation.seed}`);
    return this.life.tokens.length > 0 ? `${session} begins it anew over what was written` : undefined;
  }

  #unlessEnded(record: Exclude<SegmentRecord, { kind: 'claim' }>, sequence: number): string | undefined {
    if (record.kind === 'shredded') {
      this.lives.push(newLife());
      this.#isShredded = true;
      this.#claimant = '';
      return undefined;
    }
    if (this.#isShredded) return `a record (${record.kind}) of what is shredded`;
    if (!this.#claimant.endsWith(` in ${String(record.epoch)}`))
      return `a record (${record.kind}) of epoch ${String(record.epoch)}, and the claim is ${this.#claimant}`;
    if (record.kind === 'data') return this.#data(record, sequence);
    if (record.kind === 'closed') {
      const late = this.life.tokens.find(
        (token) => (this.life.places.get(token)?.sequence ?? 0) > record.state.applied,
      );
      return late === undefined ? undefined : `closed without ${late}`;
    }
    const { version } = record.state;
    if (record.state.applied > record.previous) return 'an intent for a state that is still to come';
    if (!record.adopted && version <= this.#highestVersion) return `version ${String(version)} is not a new one`;
    this.#highestVersion = Math.max(this.#highestVersion, version);
    return undefined;
  }

  #data({ writes }: Extract<SegmentRecord, { kind: 'data' }>, sequence: number): string | undefined {
    const { tokens, places } = this.life;
    for (const { request } of writes) {
      const token = sqlOf(request);
      if (places.has(token)) return `${token} is in the journal twice`;
      places.set(token, { at: tokens.length, sequence });
      tokens.push(token);
    }
    return undefined;
  }
}

function newLife(): Life {
  return { bases: new Set(), tokens: [], places: new Map() };
}

/** Without the spaces that only make it long. */
export function sqlOf(request: WriteRequest): string {
  const sql = request.kind === 'script' ? request.sql : request.statements.map((each) => each.sql).join('; ');
  return sql.trimEnd();
}
