import { type FileHandle, open, readFile, rename, rm, truncate } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { TroughError } from '../../errors.ts';
import { ColdCheckAnswer } from '../../messages/cold-check.ts';
import { UsageError } from '../usage-error.ts';

/** What is being checked, and how: a check goes on only as it was begun. */
export const CheckHeader = z.object({
  format: z.literal(1),
  manager: z.string(),
  read: z.boolean(),
  repair: z.boolean(),
  startedMs: z.number(),
});
export type CheckHeader = z.infer<typeof CheckHeader>;

/** One stretch that was checked. */
const Entry = ColdCheckAnswer.omit({ total: true }).extend({ elapsedMs: z.number() });
export type CheckedStretch = z.infer<typeof Entry>;

/**
 * How far a check is: a header, then a line for each stretch, on disk before the next is asked for. So whatever is killed, nothing is looked at
 * twice but the stretch that was under way.
 */
export class CheckState implements AsyncDisposable {
  readonly path: string;
  readonly header: CheckHeader;
  /** What was checked before. */
  readonly past: readonly CheckedStretch[];
  readonly #file: FileHandle;

  private constructor(path: string, header: CheckHeader, past: readonly CheckedStretch[], file: FileHandle) {
    this.path = path;
    this.header = header;
    this.past = past;
    this.#file = file;
  }

  /** Goes on with what is there, else begins. UsageError when what is there was begun otherwise, or cannot be used. */
  static async open(path: string, header: CheckHeader, restart: boolean): Promise<CheckState> {
    return attempt(path, async () => {
      const text = restart ? undefined : await readIfThere(path);
      if (text === undefined) return CheckState.#begin(path, header);
      // A last line that was not finished is cut off: its stretch is checked again.
      const whole = text.slice(0, text.lastIndexOf('\n') + 1);
      const [first = '', ...lines] = whole.split('\n').filter((line) => line !== '');
      const before = CheckHeader.parse(JSON.parse(first));
      const past = lines.map((line) => Entry.parse(JSON.parse(line)));
      if (past.length === 0) return CheckState.#begin(path, header);
      demandSame(path, before, header);
      await truncate(path, Buffer.byteLength(whole));
      return new CheckState(path, before, past, await open(path, 'a'));
    });
  }

  static async #begin(path: string, header: CheckHeader): Promise<CheckState> {
    const temporary = `${path}.tmp`;
    const file = await open(temporary, 'w');
    try {
      await file.writeFile(`${JSON.stringify(header)}\n`);
      await file.sync();
      await rename(temporary, path);
    } catch (error) {
      await file.close();
      throw error;
    }
    return new CheckState(path, header, [], file);
  }

  /** Resolves when it is on disk. */
  async append(stretch: CheckedStretch): Promise<void> {
    await attempt(this.path, async () => {
      await this.#file.appendFile(`${JSON.stringify(stretch)}\n`);
      await this.#file.datasync();
    });
  }

  /** The check is done. */
  async remove(): Promise<void> {
    await attempt(this.path, () => rm(this.path, { force: true }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

function demandSame(path: string, before: CheckHeader, now: CheckHeader): void {
  const strip = ({ manager, read, repair }: CheckHeader): unknown => ({ manager, read, repair });
  if (isDeepStrictEqual(strip(before), strip(now))) return;
  const flags = `${before.read ? '' : ' --quick'}${before.repair ? ' --repair' : ''}`;
  throw new UsageError(
    `${path} has an unfinished check of ${before.manager} that was begun with 'trough cold check${flags}': give the same, or --restart`,
  );
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function attempt<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof TroughError) throw error;
    const reason = TroughError.from(error).message.split('\n')[0] ?? '';
    throw new UsageError(
      `the state file ${path} cannot be used: ${reason}; --restart begins anew, --state FILE elsewhere`,
    );
  }
}
