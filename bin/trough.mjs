#!/usr/bin/env -S node --max-semi-space-size=16
// Runs trough under Node 24, whatever `node` is on PATH: in this very process when it is new enough, else under the one that came as a dependency.
import { fileURLToPath } from 'node:url';
import { exitLike, run } from './child.mjs';
import { findNode, NODE_FLAGS } from './node.mjs';
import { SetUpError } from './set-up-error.mjs';

const program = new URL('../dist/main.js', import.meta.url);
try {
  const node = findNode(import.meta.url);
  if (Number.parseInt(process.versions.node, 10) >= 24) await import(program.href);
  else exitLike(await run(node, [...NODE_FLAGS, fileURLToPath(program), ...process.argv.slice(2)]));
} catch (error) {
  if (!(error instanceof SetUpError)) throw error;
  process.stderr.write(`trough: ${error.message}\n`);
  process.exitCode = 1;
}
