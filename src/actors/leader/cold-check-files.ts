import { type WalkEvent } from '../../cold/cold-care.ts';
import { type ColdFile } from '../../cold/cold-store.ts';
import { TroughError } from '../../errors.ts';
import { type ColdFinding } from '../../messages/cold-check.ts';
import { whyNoDatabase } from '../../model/sqlite-header.ts';
import { type Stretch } from './cold-check-stretch.ts';
import { ASK_FOR_REPAIR, not, type Repaired } from './cold-repair.ts';

const BATCH = 500;

type WalkedFile = Extract<WalkEvent, { kind: 'file' }>;

/** Walks through cold storage, from behind a directory on, until the stretch is over. The last directory that was done; undefined at the end. */
export async function checkTree(stretch: Stretch, after: string | undefined): Promise<string | undefined> {
  const batch: WalkedFile[] = [];
  for await (const event of stretch.care.walk(after, stretch.signal)) {
    switch (event.kind) {
      case 'file':
        batch.push(event);
        if (batch.length >= BATCH) await checkFiles(stretch, batch.splice(0));
        break;
      case 'odd':
        await stretch.look('files', 1);
        // A file of a known segment was judged with it.
        if (event.id === undefined || (await stretch.rows.of([event.id])).size === 0)
          stretch.findings.push(foreign(event.id ?? null, event.path, event.why, not('it is left as it is')));
        break;
      case 'place':
        await checkFiles(stretch, batch.splice(0));
        if (stretch.isOver()) return event.after;
    }
  }
  return undefined;
}

/** Temporary files that nobody removed. */
export async function checkLeftovers(stretch: Stretch): Promise<void> {
  const { care, repair, findings, mend, signal } = stretch;
  for (const leftover of await care.leftovers(signal)) {
    const why = `a temporary file of ${String(leftover.sizeBytes)} bytes, since ${new Date(leftover.modifiedMs).toISOString()}`;
    const repaired = mend ? await repair.remove(leftover) : not(ASK_FOR_REPAIR);
    findings.push({ kind: 'leftover', segment: null, path: leftover.path, why, copies: [], ...repaired });
  }
}

async function checkFiles(stretch: Stretch, files: readonly WalkedFile[]): Promise<void> {
  if (files.length === 0) return;
  await stretch.look('files', files.length);
  const known = await stretch.rows.of(files.map(({ file }) => file.id));
  for (const { file, stray } of files) {
    // One at its own place was judged with its segment.
    if (!stray && known.has(file.id)) continue;
    const finding = known.has(file.id) ? await judgeKnown(stretch, file) : await judgeUnknown(stretch, file);
    if (finding !== undefined) stretch.findings.push(finding);
  }
}

/** The one that is served was judged with its segment; another of the same name was not. */
async function judgeKnown({ cold, signal }: Stretch, file: ColdFile): Promise<ColdFinding | undefined> {
  const served = await cold.stat(file.id, signal);
  if (served === undefined || served.path === file.path) return undefined;
  const why = `the segment lies at ${served.path} too, which is served`;
  return foreign(file.id, file.path, why, not('which of the two is right only people know'));
}

async function judgeUnknown(stretch: Stretch, file: ColdFile): Promise<ColdFinding | undefined> {
  const { view, repair, mend } = stretch;
  const { id, path } = file;
  const state = view.lease(id)?.document.state;
  // Its first promote may be under way.
  if (state === 'held') return undefined;
  if (state === 'shredded') {
    const why = 'the segment was shredded, and a file of it lies here';
    return foreign(id, path, why, not(`'trough provision ${id}' brings the name back`));
  }
  const head = await headOf(stretch, file);
  if (head === undefined) return undefined;
  const broken = whyNoDatabase(head, file.sizeBytes);
  const nobody: ColdFinding['copies'] = [];
  if (broken !== undefined) {
    const leave = not('a file that is not whole is not taken in');
    return { kind: 'torn', segment: id, path, why: broken, copies: nobody, ...leave };
  }
  const repaired = mend ? await repair.take(file) : not(ASK_FOR_REPAIR);
  return foreign(id, path, 'the catalogue does not know it', repaired);
}

/** Undefined when the file went meanwhile. */
async function headOf({ care, signal }: Stretch, file: ColdFile): Promise<Uint8Array | undefined> {
  try {
    return await care.head(file, signal);
  } catch (error) {
    if (TroughError.from(error).code === 'COLD_MISSING') return undefined;
    throw error;
  }
}

function foreign(segment: string | null, path: string, why: string, repaired: Repaired): ColdFinding {
  return { kind: 'foreign', segment, path, why, copies: [], ...repaired };
}
