import { type ColdCare } from '../../cold/cold-care.ts';
import { TroughError } from '../../errors.ts';
import { type ColdCheckAnswer, type ColdCheckRequest } from '../../messages/cold-check.ts';
import { type Actor } from '../../runtime/actor.ts';
import { type Reply, replyWith } from '../../runtime/ask.ts';
import { type Clock } from '../../runtime/clock.ts';
import { Throttle } from '../../runtime/throttle.ts';
import { checkLeftovers, checkTree } from './cold-check-files.ts';
import { checkSegments } from './cold-check-segments.ts';
import { type Stretch, type StretchParts } from './cold-check-stretch.ts';

export interface ColdCheckMessage {
  readonly kind: 'check';
  readonly request: ColdCheckRequest;
  readonly reply: Reply<ColdCheckAnswer>;
}

export interface ColdCheckDeps extends Omit<StretchParts, 'care'> {
  readonly clock: Clock;
  /** Undefined: this storage offers no such look. */
  readonly care: ColdCare | undefined;
  /** The most that is read, and looked at, in a second. */
  readonly bytesPerSecond: number;
  readonly looksPerSecond: number;
}

/** What a check does one after the other, and how far it is in that. */
export type CheckPlace =
  | { readonly phase: 'segments'; readonly after: string }
  | { readonly phase: 'files'; readonly after: string | undefined }
  | { readonly phase: 'leftovers' };

const STRETCH_MS = 2_000;

/**
 * Compares the catalogue with cold storage and with the nodes' copies, one stretch for each request: who asks keeps the place, so any leader can go on
 * with it. One stretch at a time, whoever asks, so that the load is bounded.
 */
export class ColdCheck implements Actor<ColdCheckMessage> {
  readonly name = 'cold-check';
  readonly #deps: ColdCheckDeps;
  readonly #stopping = new AbortController();

  constructor(deps: ColdCheckDeps) {
    this.#deps = deps;
  }

  async receive({ request, reply }: ColdCheckMessage): Promise<void> {
    await replyWith(reply, this.#check(request));
  }

  stop(): Promise<void> {
    this.#stopping.abort(new TroughError('STOPPING', 'this process is stopping'));
    return Promise.resolve();
  }

  async #check(request: ColdCheckRequest): Promise<ColdCheckAnswer> {
    const stretch = this.#stretch(request);
    await stretch.care.demand(stretch.signal);
    let place: CheckPlace | undefined = readPlace(request.after);
    do place = await step(stretch, place);
    while (place !== undefined && !stretch.isOver());
    const { findings, checked } = stretch;
    const answer = { findings, checked, total: await this.#deps.rows.total() };
    return place === undefined ? answer : { ...answer, next: writePlace(place) };
  }

  #stretch({ read, repair, bytesPerSecond = Infinity }: ColdCheckRequest): Stretch {
    const { clock, care } = this.#deps;
    if (care === undefined) throw new TroughError('REQUEST_INVALID', 'this cold storage cannot be looked through');
    const bytes = new Throttle(clock, Math.min(this.#deps.bytesPerSecond, bytesPerSecond));
    const looks = new Throttle(clock, this.#deps.looksPerSecond);
    const { signal } = this.#stopping;
    const checked = { segments: 0, files: 0, bytes: 0 };
    const until = clock.monotonic() + STRETCH_MS;
    return {
      ...{ ...this.#deps, care, read, mend: repair, findings: [], checked, signal },
      look: async (what, many) => {
        checked[what] += many;
        await looks.take(many, signal);
      },
      pass: async (passed) => {
        checked.bytes += passed;
        await bytes.take(passed, signal);
      },
      isOver: () => clock.monotonic() >= until,
    };
  }
}

/** Where to go on; undefined at the end. */
async function step(stretch: Stretch, place: CheckPlace): Promise<CheckPlace | undefined> {
  switch (place.phase) {
    case 'segments': {
      const last = await checkSegments(stretch, place.after);
      return last === undefined ? { phase: 'files', after: undefined } : { phase: 'segments', after: last };
    }
    case 'files': {
      const after = await checkTree(stretch, place.after);
      return after === undefined ? { phase: 'leftovers' } : { phase: 'files', after };
    }
    case 'leftovers':
      await checkLeftovers(stretch);
      return undefined;
  }
}

function writePlace(place: CheckPlace): string {
  switch (place.phase) {
    case 'segments':
      return `segments:${place.after}`;
    case 'files':
      return place.after === undefined ? 'files' : `files:${place.after}`;
    case 'leftovers':
      return 'leftovers';
  }
}

function readPlace(text: string | undefined): CheckPlace {
  if (text === undefined) return { phase: 'segments', after: '' };
  if (text === 'leftovers') return { phase: 'leftovers' };
  if (text === 'files') return { phase: 'files', after: undefined };
  const colon = text.indexOf(':');
  const [phase, after] = [text.slice(0, colon), text.slice(colon + 1)];
  if (colon !== -1 && (phase === 'segments' || phase === 'files')) return { phase, after };
  throw new TroughError('REQUEST_INVALID', `'${text}' is no place that a check has told`);
}
