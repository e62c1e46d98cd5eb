import { z } from 'zod';

/** `trough.node.<node>.copy`: what the node has of one segment, and what it does about it. */
export const CopyRequest = z.object({ segment: z.string() });
export type CopyRequest = z.infer<typeof CopyRequest>;
export const CopyReport = z.object({
  /** The verified copy here. */
  copy: z.object({ version: z.number(), sizeBytes: z.number(), verifiedMs: z.number() }).nullable(),
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
