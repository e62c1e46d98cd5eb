import { type SurveyedHot } from '../../../messages/rebuild.ts';

/** A node that has a file of a segment that was open for writing there. */
export interface HotClaim extends SurveyedHot {
  readonly node: string;
}

/** What else there is of the segment. */
export interface Elsewhere {
  /** The journal has records of it, in this stream. */
  readonly journal: { readonly stream: string; readonly incarnation: string } | undefined;
  /** When the file in cold storage was put there; undefined: there is none. */
  readonly coldModifiedMs: number | undefined;
  /** A node, `journal` or `cold`: the operator's word. */
  readonly take: string | undefined;
  readonly stateOf: (node: string) => Promise<{ readonly mark: number; readonly sha256: string } | null>;
  readonly coldSha256: () => Promise<string | undefined>;
}

export type Verdict =
  /** Its file is the newest state. `isCut`: the journal that it followed is gone. */
  | { readonly kind: 'node'; readonly node: string; readonly isCut: boolean }
  /** Whatever the journal, or else cold storage, says. */
  | { readonly kind: 'elsewhere' }
  | { readonly kind: 'undecided'; readonly between: readonly string[] };

const ELSEWHERE: Verdict = { kind: 'elsewhere' };

/**
 * Which state of a segment is the newest, by what can be known for sure: a file that follows the journal has nothing that is not in there; of two files that
 * followed one journal the one with the higher mark has all of the other; a file that is not older than what cold storage has is all there is of its last
 * writes. Everything else is for the operator to say.
 */
export async function judgeHot(claims: readonly HotClaim[], elsewhere: Elsewhere): Promise<Verdict> {
  const { journal, take } = elsewhere;
  const taken = claims.find(({ node }) => node === take);
  if (taken !== undefined) return { kind: 'node', node: taken.node, isCut: taken.note !== null };
  if (take === 'cold' || take === 'journal') return ELSEWHERE;
  const own = claims.filter(
    ({ note }) => journal === undefined || note?.stream !== journal.stream || note.incarnation !== journal.incarnation,
  );
  const [first] = own;
  if (first === undefined) return ELSEWHERE;
  if (journal !== undefined) return { kind: 'undecided', between: [...own.map(({ node }) => node), 'journal'] };
  const newest = own.length === 1 ? first : await newestOf(own, elsewhere);
  if (newest === undefined) return { kind: 'undecided', between: own.map(({ node }) => node) };
  const isNewest = await isBeyondCold(newest, elsewhere);
  if (!isNewest) return { kind: 'undecided', between: [newest.node, 'cold'] };
  return { kind: 'node', node: newest.node, isCut: newest.note !== null };
}

async function newestOf(claims: readonly HotClaim[], { stateOf }: Elsewhere): Promise<HotClaim | undefined> {
  const [first] = claims;
  const isOneJournal = claims.every(
    ({ note }) => note !== null && note.stream === first?.note?.stream && note.incarnation === first.note.incarnation,
  );
  if (!isOneJournal) return undefined;
  let newest: { readonly claim: HotClaim; readonly mark: number } | undefined;
  for (const claim of claims) {
    const state = await stateOf(claim.node);
    if (state === null) return undefined;
    // Marks are the low 32 bits of a sequence: the nearer way round says which is ahead.
    if (newest === undefined || ((state.mark - newest.mark) | 0) > 0) newest = { claim, mark: state.mark };
  }
  return newest?.claim;
}

/** A write that was made while a promote was under way is older than the file that came of that, and not in it: then the contents are compared. */
async function isBeyondCold({ node, modifiedMs }: HotClaim, elsewhere: Elsewhere): Promise<boolean> {
  const { coldModifiedMs, stateOf, coldSha256 } = elsewhere;
  if (coldModifiedMs === undefined) return true;
  if (modifiedMs !== null && modifiedMs > coldModifiedMs) return true;
  const state = await stateOf(node);
  return state !== null && state.sha256 === (await coldSha256());
}
