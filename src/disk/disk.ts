export interface DiskSpace {
  readonly totalBytes: number;
  readonly freeBytes: number;
}

/**
 * What actors do with database files beside reading and writing SQL. A database is its file and what SQLite keeps beside it
 * (`-wal`, `-shm`, `-journal`). Errors: DISK_FULL, DATA_DIRECTORY_UNUSABLE.
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
}
