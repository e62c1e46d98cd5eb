export interface DiskSpace {
  readonly totalBytes: number;
  readonly freeBytes: number;
}

export interface FileDigest {
  readonly sizeBytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

export interface DirectoryEntry {
  readonly name: string;
  readonly isDirectory: boolean;
}

/**
 * What actors do with database files beside reading and writing SQL. A database is its file and what SQLite keeps beside it
 * (`-wal`, `-shm`, `-journal`). Errors: DISK_FULL, DATA_DIRECTORY_UNUSABLE, and what is named with a call.
 */
export interface Disk {
  exists(file: string): Promise<boolean>;
  /** Nothing happens when it is not there. */
  removeDatabase(file: string): Promise<void>;
  /** Atomic replacement within one file system; the directories of `to` are made. */
  moveDatabase(from: string, to: string): Promise<void>;
  makeDirectoryOf(file: string): Promise<void>;
  /** Makes the directory, or takes everything out of it. */
  emptyDirectory(directory: string): Promise<void>;
  space(directory: string): Promise<DiskSpace>;
  /** In no order; empty when there is no such directory. */
  list(directory: string): Promise<readonly DirectoryEntry[]>;
  /** Bytes; undefined when there is no such file. */
  size(file: string): Promise<number | undefined>;
  /** When the database was written to last, ms since 1970; undefined when there is no such file, or nobody knows. */
  modified(file: string): Promise<number | undefined>;
  /**
   * What the file holds, read at low priority and at most so fast that nobody else notices. SEGMENT_UNKNOWN when it is not there, SEGMENT_DAMAGED
   * when the disk cannot give it back.
   */
  digest(file: string, bytesPerSecond: number, signal?: AbortSignal): Promise<FileDigest>;
  /** The content in pieces. SEGMENT_UNKNOWN when it is not there. */
  read(file: string): AsyncIterable<Uint8Array>;
  /** A new file, synced unless nothing depends on it; there is none when the pieces end with an error. It must not exist before. */
  write(
    file: string,
    pieces: AsyncIterable<Uint8Array>,
    options?: { readonly unsynced?: boolean },
  ): Promise<FileDigest>;
}

/** The whole content of a file that fits into memory. The errors of `Disk.read`. */
export async function readSmall(disk: Pick<Disk, 'read'>, file: string): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of disk.read(file)) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** A new file with that text in UTF-8. The options and errors of `Disk.write`. */
export async function writeSmall(
  disk: Pick<Disk, 'write'>,
  file: string,
  text: string,
  options?: Parameters<Disk['write']>[2],
): Promise<void> {
  await disk.write(file, only(Buffer.from(text, 'utf8')), options);
}

// eslint-disable-next-line @typescript-eslint/require-await -- the port takes a stream
async function* only(piece: Uint8Array): AsyncIterable<Uint8Array> {
  yield piece;
}
