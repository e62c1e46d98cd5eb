import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { SetUpError } from './set-up-error.mjs';

const WANTED = 24;

/**
 * For every node: the young generation stays at three times 16 MiB at most. Where there is much memory Node lets it grow to three times 64, which a listening process
 * under load does without being faster.
 */
export const NODE_FLAGS = ['--max-semi-space-size=16'];

/** The Node 24 that came as a dependency of the package at `from` (a file URL), else the running one when it is new enough. */
export function findNode(from) {
  const bundled = bundledNode(from);
  if (bundled !== undefined) return bundled;
  if (Number.parseInt(process.versions.node, 10) >= WANTED) return process.execPath;
  throw new SetUpError(
    `Node ${WANTED} is needed, this is ${process.version}, and there is no package of it for ${process.platform}-${process.arch}: ` +
      `install Node ${WANTED} (https://nodejs.org) and put it first on PATH`,
  );
}

function bundledNode(from) {
  try {
    const manifest = createRequire(from).resolve(`node-${process.platform}-${process.arch}/package.json`);
    const program = join(dirname(manifest), 'bin', 'node');
    return existsSync(program) ? program : undefined;
  } catch {
    return undefined;
  }
}
