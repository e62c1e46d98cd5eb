import { z } from 'zod';

/** `trough.node.<node>.copy`: what the node has of one segment, and what it does about it. */
export const CopyRequest = z.object({ segment: z.string() });
export type CopyRequest = z.infer<typeof CopyRequest>;
export const CopyReport = z.object({
  /** The verified copy here. */
  copy: z
    .object({ version: z.number(), sizeBytes: z.number(), verifiedMs: z.number(), sha256: z.string().optional() })
    .nullable(),
  /** Open for writing here. */
  writable: z.boolean(),
  /** What is still to be fetched: its version, whether that is under way, and how it failed last. */
  wanted: z
    .object({
      version: z.number(),
      fetching: z.boolean(),
      /** `restMs`: until it is tried again. `setAside`: its file in cold storage is bad, and nobody waits for it. */
      failure: z
        .object({ code: z.string(), message: z.string(), restMs: z.number(), setAside: z.boolean() })
        .nullable(),
    })
    .nullable(),
});
export type CopyReport = z.infer<typeof CopyReport>;

/** `trough.node.<node>.file`: one copy, as bytes; the header `Trough-Sha256` says what they have to be. `sha256` null: whatever that version is. */
export const FileRequest = z.object({ segment: z.string(), version: z.number(), sha256: z.string().nullable() });
export type FileRequest = z.infer<typeof FileRequest>;

export interface PassedFile {
  readonly sha256: string;
  readonly body: AsyncIterable<Uint8Array>;
}

/** `trough.node.<node>.lost`: files on the node that nobody asked for. */
export const LostRequest = z.object({});
export const LostFile = z.object({
  /** Under the node's `lost+found`. */
  file: z.string(),
  sizeBytes: z.number(),
  /** When it was found, ms since 1970; null: not known. */
  foundMs: z.number().nullable(),
  /** When it is deleted at the earliest, ms since 1970; null: never by itself. */
  goesMs: z.number().nullable(),
});
export type LostFile = z.infer<typeof LostFile>;
export const LostAnswer = z.object({ files: z.array(LostFile), more: z.int() });
export type LostAnswer = z.infer<typeof LostAnswer>;

/** Who found a copy missing or wrong: a read, the scrub, the look at the files, the comparison with what the leader names. */
export type FoundBy = 'read' | 'scrub' | 'look' | 'manifest';

/** `trough.event.copy-damaged` and `trough.event.copy-replaced`, for people and tools. */
export type CopyEvent =
  | {
      readonly kind: 'copy-damaged';
      readonly node: string;
      readonly segment: string;
      readonly version: number;
      readonly foundBy: FoundBy;
    }
  | {
      readonly kind: 'copy-replaced';
      readonly node: string;
      readonly segment: string;
      readonly version: number;
      /** Cold storage, or another node. */
      readonly from: 'cold' | 'node';
    };
