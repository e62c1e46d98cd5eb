import { join } from 'node:path';
import { type Inventory } from '../actors/copies/inventory.ts';
import { HotNotes } from '../actors/writer/hot-note.ts';
import { type SurveyAnswer, SurveyRequest, type SurveyedHot } from '../messages/rebuild.ts';
import { isSegmentId, parseSegmentId, type SegmentId } from '../model/segment-id.ts';
import { answerJson } from './endpoints.ts';
import { type NodeContext } from './node-context.ts';

/** A page ends behind the directory with which it has so many. */
const HOT_FILES = 500;

/** Tells the leader what is on this node, for a rebuild of the metadata. Changes nothing. */
export function answerSurveys(context: NodeContext): void {
  const { bus, subjects, self, supervisor, parts } = context;
  const surveys = answerJson(bus, { subject: subjects.node(self.node, 'survey') }, SurveyRequest, async (request) => {
    const known = { remembers: parts.identity?.remembered ?? null, hot: [], copies: [], state: null };
    switch (request.what) {
      case 'hot':
        return { ...known, ...(await hotPage(context, request.after)) };
      case 'copies':
        return { ...known, ...(await copiesPage(parts.inventory, request.after)) };
      case 'state':
        return { ...known, state: await stateOf(context, parseSegmentId(request.segment)) };
    }
  });
  supervisor.adopt('survey endpoint', () => {
    surveys.unsubscribe();
  });
}

async function hotPage({ disk, paths }: NodeContext, after: string): Promise<Pick<SurveyAnswer, 'hot' | 'next'>> {
  const slots = (await disk.list(paths.hotDir))
    .filter(({ name, isDirectory }) => isDirectory && name > after)
    .map(({ name }) => name)
    .sort();
  const notes = new HotNotes({ disk, paths });
  const hot: SurveyedHot[] = [];
  for (const [index, slot] of slots.entries()) {
    for (const { name, isDirectory } of await disk.list(join(paths.hotDir, slot))) {
      const id = name.slice(0, -'.sqlite'.length);
      const file = join(paths.hotDir, slot, name);
      if (isDirectory || !isSegmentId(id) || paths.hot(id) !== file) continue;
      const [sizeBytes, modifiedMs, note] = [await disk.size(file), await disk.modified(file), await notes.read(id)];
      if (sizeBytes === undefined) continue;
      const follows = note === undefined ? null : { stream: note.stream, incarnation: note.incarnation };
      hot.push({ segment: id, sizeBytes, modifiedMs: modifiedMs ?? null, note: follows });
    }
    if (hot.length >= HOT_FILES && index + 1 < slots.length) return { hot, next: slot };
  }
  return { hot };
}

async function copiesPage(
  inventory: Inventory | undefined,
  after: string,
): Promise<Pick<SurveyAnswer, 'copies' | 'next'>> {
  const records = (await inventory?.recordsAfter(after as SegmentId | '')) ?? [];
  const copies = records.map(({ id, version, sizeBytes, sha256 }) => ({ id, version, sizeBytes, sha256 }));
  const last = copies.at(-1);
  return last === undefined ? { copies } : { copies, next: last.id };
}

/** Of a copy of the file: opening it would change it, and when it was written to last is known by nothing else. */
async function stateOf({ disk, paths, engine }: NodeContext, id: SegmentId): Promise<SurveyAnswer['state']> {
  const file = paths.hot(id);
  if (!(await disk.exists(file))) return null;
  const note = await new HotNotes({ disk, paths }).read(id);
  const [copy, published] = [paths.temporary(id, 'survey'), paths.temporary(id, 'survey-published')];
  await Promise.all([disk.removeDatabase(copy), disk.removeDatabase(published)]);
  try {
    await disk.write(copy, disk.read(file));
    if (await disk.exists(`${file}-wal`)) await disk.write(`${copy}-wal`, disk.read(`${file}-wal`));
    await using session = await engine.openWriter({ segment: id, file: copy });
    const mark = await session.applied();
    const { sha256 } = await session.snapshot(
      published,
      note === undefined ? {} : { applicationId: note.applicationId },
    );
    return { mark, sha256 };
  } finally {
    await Promise.all([disk.removeDatabase(copy), disk.removeDatabase(published)]);
  }
}
