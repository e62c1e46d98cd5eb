import { spawnSync } from 'node:child_process';

/**
 * The tracer under which each fsync of a program and of all that it starts takes a millisecond more. It is no parent of the program, and stops
 * it at no other system call.
 */
export const SLOW_DISK: readonly string[] = [
  'strace',
  ...['-D', '-f', '-qq', '--seccomp-bpf', '-o', '/dev/null'],
  ...['-e', 'trace=fsync,fdatasync', '-e', 'inject=fsync,fdatasync:delay_enter=1000'],
];

/** Why the slow disk cannot be had here; undefined when it can. */
export function noSlowDisk(): string | undefined {
  const { error, status, stderr } = spawnSync(SLOW_DISK[0] ?? '', [...SLOW_DISK.slice(1), 'true'], {
    encoding: 'utf8',
  });
  if (error !== undefined) return `strace: ${error.message}`;
  return status === 0 ? undefined : `strace cannot trace here: ${stderr.trim()}`;
}
