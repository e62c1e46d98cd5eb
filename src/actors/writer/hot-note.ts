import { z } from 'zod';
import { type Disk, readSmall, writeSmall } from '../../disk/disk.ts';
import { TroughError } from '../../errors.ts';
import { type DataPaths } from '../../model/paths.ts';
import { type SegmentId } from '../../model/segment-id.ts';

const HotNote = z.object({
  stream: z.string(),
  /** Of the stream: the marks of another one mean nothing. */
  incarnation: z.string(),
  /** The user's own value of the header field that holds the mark. */
  applicationId: z.int(),
});
export type HotNote = z.infer<typeof HotNote>;

/**
 * What lies beside a hot file and says that its header holds a mark, and of which journal. It is written once the first mark is in the file and
 * removed before the file is, so without one the file is simply not gone on from: the journal and cold storage have it all.
 */
export class HotNotes {
  readonly #disk: Disk;
  readonly #paths: DataPaths;

  constructor({ disk, paths }: { readonly disk: Disk; readonly paths: DataPaths }) {
    this.#disk = disk;
    this.#paths = paths;
  }

  async read(id: SegmentId): Promise<HotNote | undefined> {
    try {
      const content = await readSmall(this.#disk, this.#paths.hotNote(id));
      return HotNote.safeParse(JSON.parse(content.toString('utf8'))).data;
    } catch (error) {
      // One that a crash cut off is as none.
      if (error instanceof SyntaxError || TroughError.from(error).code === 'SEGMENT_UNKNOWN') return undefined;
      throw error;
    }
  }

  /** There must be none. It need not be synced: without it, or cut off, the file is made anew. */
  async write(id: SegmentId, note: HotNote): Promise<void> {
    await writeSmall(this.#disk, this.#paths.hotNote(id), JSON.stringify(note), { unsynced: true });
  }

  async remove(id: SegmentId): Promise<void> {
    await this.#disk.removeDatabase(this.#paths.hotNote(id));
  }
}
