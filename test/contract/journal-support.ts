import { TroughError } from '../../src/errors.ts';
import { type Journal, type JournalKey, type JournalRange, type JournalRecord } from '../../src/journal/journal.ts';

/** A journal for one test. The keys of the tests are apart, so several may share a server. */
export interface JournalDriver extends AsyncDisposable {
  readonly journal: Journal;
  /** The same journal as another process sees it; closed with the driver. */
  other(): Promise<Journal>;
}

export interface JournalDriverOptions {
  /** Of each stream; such a journal is its test's alone. */
  readonly limitBytes?: number;
}

export type OpenJournal = (options?: JournalDriverOptions) => Promise<JournalDriver>;

let keys = 0;

/** A key that nobody has used. */
export function newKey(journal: Journal, word = 'k'): JournalKey {
  keys += 1;
  const name = `${word} ${String(keys)}.é`;
  return { stream: journal.pickStream(name), name };
}

export function entry(id: string, text = id, reserved = false): { id: string; body: Uint8Array; reserved: boolean } {
  return { id, body: Buffer.from(text), reserved };
}

export async function collect(
  journal: Journal,
  key: JournalKey,
  range: JournalRange = { from: 0 },
): Promise<JournalRecord[]> {
  return toList(journal.read(key, range));
}

export async function toList<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

export async function errorOf(work: Promise<unknown>): Promise<TroughError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof TroughError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

/** Appends `count` records one after another; the sequences. */
export async function fill(journal: Journal, key: JournalKey, count: number, text = ''): Promise<number[]> {
  const sequences: number[] = [];
  const last = await journal.last(key);
  for (let index = 0; index < count; index += 1) {
    const expected = sequences.at(-1) ?? last?.sequence ?? 0;
    sequences.push(await journal.append(key, entry(`n${String(expected)}`, text || `body ${String(index)}`), expected));
  }
  return sequences;
}

export async function texts(journal: Journal, key: JournalKey): Promise<string[]> {
  return (await collect(journal, key)).map(({ body }) => Buffer.from(body).toString());
}
