import { type FileHandle, open, readFile, rename, rm, truncate } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { TroughError } from '../../errors.ts';

const Type = z.enum(['INTEGER', 'REAL', 'TEXT']);

/** The first line of the file: what is being imported, and how. */
export const ImportHeader = z.object({
  format: z.literal(1),
  source: z.object({ sizeBytes: z.number(), modifiedMs: z.number(), headSha256: z.string() }).nullable(),
  plan: z.object({
    segmentBy: z.string(),
    segmentName: z.string(),
    table: z.string(),
    schema: z.string().optional(),
    types: z.record(z.string(), Type),
    format: z.enum(['csv', 'tsv', 'ndjson', 'json']),
    delimiter: z.string(),
  }),
  columns: z.array(z.object({ name: z.string(), type: Type, isGiven: z.boolean() })),
});
export type ImportHeader = z.infer<typeof ImportHeader>;

const Entry = z.union([
  /** Written before the first batch of a segment: the rows that its table had then. */
  z.object({ segment: z.string(), base: z.int().nonnegative() }),
  /** The database refused this row, counted from 0 among the segment's rows in the source. */
  z.object({ segment: z.string(), refused: z.int().nonnegative(), reason: z.string() }),
]);
type Entry = z.infer<typeof Entry>;

/** What an earlier run did to a segment. */
export interface SegmentPast {
  readonly base: number;
  readonly refused: ReadonlyMap<number, string>;
}

/**
 * The state of an unfinished import: a header, then an append-only list of lines. Each line is on disk before anything is done that relies
 * on it. How many rows of a segment are in, the segment itself says.
 */
export class ImportState implements AsyncDisposable {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #past: ReadonlyMap<string, SegmentPast>;
  #waiting: string[] = [];
  #flush: Promise<void> | undefined;

  private constructor(path: string, file: FileHandle, past: ReadonlyMap<string, SegmentPast>) {
    this.path = path;
    this.#file = file;
    this.#past = past;
  }

  static async create(path: string, header: ImportHeader): Promise<ImportState> {
    const temporary = `${path}.tmp`;
    const file = await attempt(path, () => open(temporary, 'w'));
    try {
      await file.writeFile(`${JSON.stringify(header)}\n`);
      await file.sync();
      await rename(temporary, path);
      await syncDirectory(dirname(path));
    } catch (error) {
      await file.close();
      throw unusable(path, error);
    }
    return new ImportState(path, file, new Map());
  }

  /** Opens what an earlier run left; undefined when there is nothing. A last line that was not finished is cut off: nothing relied on it. */
  static async resume(path: string): Promise<{ header: ImportHeader; open: () => Promise<ImportState> } | undefined> {
    const text = await readIfThere(path);
    if (text === undefined) return undefined;
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    const [first = '', ...lines] = whole.split('\n').filter((line) => line !== '');
    const header = await attempt(path, () => ImportHeader.parse(JSON.parse(first)));
    const past = await attempt(path, () => readPast(lines));
    return {
      header,
      open: () =>
        attempt(path, async () => {
          await truncate(path, Buffer.byteLength(whole));
          return new ImportState(path, await open(path, 'a'), past);
        }),
    };
  }

  pastOf(segment: string): SegmentPast | undefined {
    return this.#past.get(segment);
  }

  /** Resolves when the line is on disk. Lines that come together go together. */
  async append(entry: Entry): Promise<void> {
    this.#waiting.push(`${JSON.stringify(entry)}\n`);
    while (this.#flush !== undefined) await this.#flush;
    if (this.#waiting.length === 0) return;
    this.#flush = this.#write(this.#waiting.splice(0));
    try {
      await this.#flush;
    } finally {
      this.#flush = undefined;
    }
  }

  /** The import is done. */
  async remove(): Promise<void> {
    await attempt(this.path, () => rm(this.path, { force: true }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }

  async #write(lines: readonly string[]): Promise<void> {
    await attempt(this.path, async () => {
      await this.#file.appendFile(lines.join(''));
      await this.#file.datasync();
    });
  }
}

function readPast(lines: readonly string[]): Map<string, SegmentPast> {
  const past = new Map<string, { base: number; refused: Map<number, string> }>();
  for (const line of lines) {
    const entry = Entry.parse(JSON.parse(line));
    const known = past.get(entry.segment);
    if ('base' in entry)
      past.set(entry.segment, { base: entry.base, refused: known?.refused ?? new Map<number, string>() });
    else known?.refused.set(entry.refused, entry.reason);
  }
  return past;
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw unusable(path, error);
  }
}

async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path);
  await directory.sync();
}

async function attempt<T>(path: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw unusable(path, error);
  }
}

function unusable(path: string, error: unknown): TroughError {
  if (error instanceof TroughError) return error;
  return new TroughError(
    'IMPORT_FAILED',
    `the state file ${path} cannot be used: ${TroughError.from(error).message.split('\n')[0] ?? ''}`,
    {},
    error,
  );
}
