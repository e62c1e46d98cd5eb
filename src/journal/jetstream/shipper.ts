import { type MsgHdrs, nuid } from 'nats';
import { type JournalApi, type Letter, type Outcome, headersOf, readOutcome } from './journal-api.ts';
import { type Requests } from './requests.ts';

/**
 * From so many waiting letters on they leave as one batch. A batch costs four syncs and some files, a single message one sync: on a quick disk a batch pays
 * from 15 on, on a slow one from 5, on three servers from 20, and being wrong costs most on the slow one.
 */
const BATCH_FROM = 8;
/** The server takes 1,000 messages to a batch, and holds the others up while it writes them. */
const MOST_LETTERS = 512;
const MOST_BATCH_BYTES = 4 * 1024 * 1024;
const BATCH_MS = 1_000;

type ShippingApi = Pick<JournalApi, 'publish'> & { readonly requests: Pick<Requests, 'tell' | 'ask'> };

interface Waiting {
  readonly letter: Letter;
  readonly settle: (outcome: Outcome) => void;
}

/**
 * Sends the letters of one stream, of different subjects each: few at once go singly, many as one atomic batch, one batch at a time. A refused
 * batch has left nothing: its letters go again, singly, so that a stale one harms no other.
 */
export class Shipper {
  readonly #api: ShippingApi;
  #queue: Waiting[] = [];
  #singles = 0;
  #batchUnderWay = false;
  #scheduled = false;

  constructor(api: ShippingApi) {
    this.#api = api;
  }

  /** One try. Never two letters of one subject at a time. */
  ship(letter: Letter): Promise<Outcome> {
    return new Promise((settle) => {
      this.#queue.push({ letter, settle });
      this.#schedule();
    });
  }

  /** Whether the letter had not left yet; then it never will. */
  withdraw(letter: Letter): boolean {
    const at = this.#queue.findIndex((waiting) => waiting.letter === letter);
    if (at < 0) return false;
    this.#queue.splice(at, 1);
    return true;
  }

  /** Everything that is handed over in one turn is seen together. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#batchUnderWay) return;
    if (this.#queue.length >= BATCH_FROM) {
      void this.#sendBatch(this.#takeBatch());
      return;
    }
    // What waits while the singles come back is collected: it may become a batch.
    if (this.#queue.length + this.#singles >= BATCH_FROM) return;
    for (const next of this.#queue.splice(0)) void this.#sendSingle(next);
  }

  #takeBatch(): Waiting[] {
    let sizeBytes = 0;
    let count = 0;
    for (const { letter } of this.#queue) {
      if (count > 0 && (count === MOST_LETTERS || sizeBytes + letter.sizeBytes > MOST_BATCH_BYTES)) break;
      sizeBytes += letter.sizeBytes;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  async #sendSingle({ letter, settle }: Waiting): Promise<void> {
    this.#singles += 1;
    const outcome = await this.#api.publish(letter);
    this.#singles -= 1;
    settle(outcome);
    this.#schedule();
  }

  async #sendBatch(batch: readonly Waiting[]): Promise<void> {
    this.#batchUnderWay = true;
    const outcome = await this.#publishBatch(batch.map(({ letter }) => letter));
    this.#batchUnderWay = false;
    for (const [index, { letter, settle }] of batch.entries()) {
      if (outcome.kind === 'stored') settle(storedAt(outcome.sequence - (batch.length - 1) + index, letter));
      else if (outcome.kind === 'unknown') settle(outcome);
      else void this.#sendSingle({ letter, settle });
    }
    this.#schedule();
  }

  /** `stored`: with the sequence of the last one; they are consecutive. */
  async #publishBatch(letters: readonly Letter[]): Promise<Outcome> {
    const id = nuid.next();
    const { requests } = this.#api;
    for (const [index, letter] of letters.entries()) {
      const headers = batchHeaders(letter, id, index + 1);
      if (index < letters.length - 1) {
        const failed = requests.tell(letter.subject, letter.body, headers);
        // The server forgets a batch without its end.
        if (failed !== undefined) return { kind: 'unknown', reason: failed, arrived: false };
        continue;
      }
      headers.append('Nats-Batch-Commit', '1');
      const answer = await requests.ask(letter.subject, letter.body, BATCH_MS, headers);
      if (answer.kind === 'none') return { kind: 'unknown', reason: answer.reason, arrived: answer.arrived };
      const said: { batch?: string; count?: number } = answer.message.json();
      const outcome = readOutcome(said, 0);
      const isOurs = said.batch === id && said.count === letters.length;
      if (outcome.kind !== 'stored' || isOurs) return outcome;
      return { kind: 'unknown', reason: 'the batch was acknowledged in part', arrived: true };
    }
    throw new RangeError('a batch without letters');
  }
}

function storedAt(sequence: number, { expected }: Letter): Outcome {
  return sequence > expected ? { kind: 'stored', sequence } : { kind: 'refused' };
}

function batchHeaders(letter: Letter, id: string, number: number): MsgHdrs {
  const headers = headersOf(letter);
  headers.append('Nats-Batch-Id', id);
  headers.append('Nats-Batch-Sequence', String(number));
  return headers;
}
