import { z } from 'zod';
import { type Disk } from '../../disk/disk.ts';
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
      const pieces: Uint8Array[] = [];
      for await (const piece of this.#disk.read(this.#paths.hotNote(id))) pieces.push(piece);
      return HotNote.safeParse(JSON.parse(Buffer.concat(pieces).toString('utf8'))).data;
    } catch (error) {
      // One that a crash cut off is as none.
      if (error instanceof SyntaxError || TroughError.from(error).code === 'SEGMENT_UNKNOWN') return undefined;
      throw error;
    }
  }

  /** There must be none. It need not be synced: without it, or cut off, the file is made anew. */
  async write(id: SegmentId, note: HotNote): Promise<void> {
    const content = Buffer.from(JSON.stringify(note), 'utf8');
    await this.#disk.write(this.#paths.hotNote(id), only(content), { unsynced: true });
  }

  async remove(id: SegmentId): Promise<void> {
    await this.#disk.removeDatabase(this.#paths.hotNote(id));
  }
}

// eslint-disable-next-line @typescript-eslint/require-await -- the port takes a stream
async function* only(piece: Uint8Array): AsyncIterable<Uint8Array> {
  yield piece;
}
