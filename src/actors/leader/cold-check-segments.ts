import { type ColdFile } from '../../cold/cold-store.ts';
import { TroughError } from '../../errors.ts';
import { type ColdFinding } from '../../messages/cold-check.ts';
import { coldPath } from '../../model/cold-path.ts';
import { whyNoDatabase } from '../../model/sqlite-header.ts';
import { type Stretch } from './cold-check-stretch.ts';
import { ASK_FOR_REPAIR, not, type Repaired } from './cold-repair.ts';
import { type ColdRow } from './cold-rows.ts';

const AT_A_TIME = 8;

type Found = Pick<ColdFinding, 'kind' | 'path' | 'why'> & { readonly mend: (row: ColdRow) => Promise<Repaired> };

/** Looks at the files of a few published segments, those after an id. The last of them; undefined when there are no more. */
export async function checkSegments(stretch: Stretch, after: string): Promise<string | undefined> {
  const rows = await stretch.rows.page(after, AT_A_TIME);
  const findings = await Promise.all(rows.map((row) => checkRow(stretch, row)));
  for (const finding of findings) if (finding !== undefined) stretch.findings.push(finding);
  return rows.length < AT_A_TIME ? undefined : rows.at(-1)?.id;
}

async function checkRow(stretch: Stretch, row: ColdRow): Promise<ColdFinding | undefined> {
  await stretch.look('segments', 1);
  const found = await judgeTwice(stretch, row);
  if (found === undefined) return undefined;
  const { id } = row;
  const copies = await stretch.repair.copiesOf(id);
  const { kind, path, why, mend } = found;
  const repaired = stretch.mend ? await mend(row) : not(ASK_FOR_REPAIR);
  return { kind, segment: id, path, why, copies, ...repaired };
}

/** What is published, shredded or replaced meanwhile looks wrong for a moment: only what is so still, by what is known then, is a finding. */
async function judgeTwice(stretch: Stretch, first: ColdRow): Promise<Found | undefined> {
  const { rows, view, signal } = stretch;
  if ((await judge(stretch, first)) === undefined) return undefined;
  signal.throwIfAborted();
  const row = (await rows.of([first.id])).get(first.id);
  if (row === undefined || view.lease(first.id)?.document.state === 'shredded') return undefined;
  return judge(stretch, row);
}

async function judge(stretch: Stretch, row: ColdRow): Promise<Found | undefined> {
  const { cold, view, signal } = stretch;
  const file = await cold.stat(row.id, signal);
  if (file === undefined) return lost(stretch, row);
  const isOpen = view.lease(row.id)?.document.state === 'held';
  const isOther = file.modifiedMs !== row.modifiedMs;
  // Whoever has it open may have published a moment ago.
  if (isOther && isOpen) return undefined;
  if (!isOther && file.sizeBytes !== row.sizeBytes) {
    return torn(file, `it has ${String(file.sizeBytes)} bytes, ${String(row.sizeBytes)} were published`);
  }
  const why = await readFile(stretch, file, isOther ? null : row.sha256);
  if (why === 'gone') return undefined;
  if (why !== undefined) return torn(file, why);
  if (!isOther) return undefined;
  const known = 'it is not the file that the catalogue knows: somebody replaced it';
  return { kind: 'foreign', path: file.path, why: known, mend: () => stretch.repair.take(file) };
}

function lost({ repair, view }: Stretch, { id }: ColdRow): Found {
  const isOpen = view.lease(id)?.document.state === 'held';
  const why = 'cold storage has no file of it';
  return {
    kind: 'lost',
    path: coldPath(id),
    why,
    mend: async (row) =>
      isOpen
        ? not(`it is open for writing: 'trough promote ${id}' publishes it again`)
        : repair.restore(row, await repair.copiesOf(id)),
  };
}

function torn({ path }: ColdFile, why: string): Found {
  const keep = 'nothing in cold storage is replaced: take the file away, then --repair publishes it again from a copy';
  return { kind: 'torn', path, why, mend: () => Promise.resolve(not(keep)) };
}

/** Why the file is not whole; `gone`: it went, or was replaced, meanwhile. */
async function readFile(stretch: Stretch, file: ColdFile, sha256: string | null): Promise<string | undefined> {
  const { care, read, signal } = stretch;
  try {
    if (!read) return whyNoDatabase(await care.head(file, signal), file.sizeBytes);
    const told = await care.readBack(file.id, sha256 ?? undefined, (bytes) => stretch.pass(bytes), signal);
    return whyNoDatabase(told.head, told.sizeBytes);
  } catch (error) {
    signal.throwIfAborted();
    const { code, message } = TroughError.from(error);
    if (code === 'COLD_MISSING' || code === 'COLD_CHANGED') return 'gone';
    if (code === 'COLD_COPY_TORN') return message;
    if (code !== 'COLD_FAILED') throw error;
    // One file that cannot be read is a finding; a storage that cannot is none.
    await stretch.cold.probe(signal);
    return `it cannot be read: ${message}`;
  }
}
