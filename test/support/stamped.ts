import { type StampedWrite, type WriteRequest } from '../../src/model/sql-types.ts';

/** 2026-11-21 12:34:56.789 UTC. */
export const STAMP = { requestId: 'r', timeMs: 1_795_264_496_789, seed: '000102030405060708090a0b0c0d0e0f' } as const;

/** A write at one fixed moment. */
export function stamped(request: WriteRequest, stamp: Partial<StampedWrite> = {}): StampedWrite {
  return { ...STAMP, ...stamp, request };
}

export function stampedScript(sql: string, stamp: Partial<StampedWrite> = {}): StampedWrite {
  return stamped({ kind: 'script', sql }, stamp);
}
