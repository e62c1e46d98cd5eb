// Every npm script goes through here: `node scripts/run.mjs VERB [ARGUMENT…]`, with any Node from 20 on.
// It makes the tree ready (dependencies, build, nats-server), then runs the verb under Node 24, whatever `node` is on PATH.
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { check } from './check.mjs';
import { exitLike, run as runChild } from '../bin/child.mjs';
import { findNode, NODE_FLAGS } from '../bin/node.mjs';
import { ensureBuild, ensureDependencies, ensureNatsServer, root, SetUpError } from './set-up.mjs';

const VITEST = 'node_modules/vitest/vitest.mjs';
/** A benchmark that takes its time: it runs only when it is named. */
const SOAK = 'soak';

const verbs = {
  start: async (node, args) => {
    await ensureBuild(node);
    const env = startsNatsServer(args) ? await ensureNatsServer(node) : {};
    return run(node, [...NODE_FLAGS, 'dist/main.js', ...args], { env });
  },
  test: async (node, args) => {
    await ensureBuild(node);
    return run(node, [VITEST, 'run', ...args], { env: await ensureNatsServer(node) });
  },
  e2e: async (node, args) => {
    await ensureBuild(node);
    return run(node, [VITEST, 'run', '--config', 'vitest.e2e.config.ts', ...args], {
      env: await ensureNatsServer(node),
    });
  },
  hdfs: async (node, args) => {
    await ensureBuild(node);
    return run(node, [VITEST, 'run', '--config', 'vitest.hdfs.config.ts', ...args], {
      env: await ensureNatsServer(node),
    });
  },
  bench: async (node, args) => {
    await ensureBuild(node);
    return bench(node, args, await ensureNatsServer(node));
  },
  history: async (node, args) => {
    await ensureBuild(node);
    return run(node, ['test/history/history.ts', ...args], { env: await ensureNatsServer(node) });
  },
  simulate: (node, args) => run(node, ['test/simulation/simulate.ts', ...args]),
  check: (node) => check(node, run),
  build: async (node) => {
    await ensureBuild(node);
    return { code: 0, signal: null };
  },
  format: (node) => run(node, ['node_modules/prettier/bin/prettier.cjs', '--write', '--log-level', 'warn', '.']),
};

/** Runs `file` in the project's folder, wherever the script was called from. */
function run(file, args, options = {}) {
  return runChild(file, args, { ...options, cwd: fileURLToPath(root) });
}

/** False for one-off commands, and where running servers are named: those start without a nats-server of our own. */
function startsNatsServer(args) {
  if (args[0] !== undefined && !args[0].startsWith('-')) return false;
  const without = /^(--nats(=.*)?|--help|-h|--version|-V|--print-config(=.*)?)$/;
  return !process.env.TROUGH_NATS && !args.some((arg) => without.test(arg));
}

async function bench(node, names, env) {
  const there = readdirSync(new URL('bench/', root))
    .filter((name) => name.endsWith('.ts'))
    .map((name) => name.slice(0, -'.ts'.length));
  const unknown = names.find((name) => !there.includes(name));
  if (unknown !== undefined) throw new SetUpError(`no benchmark named ${unknown}; there are: ${there.join(', ')}`);
  for (const name of names.length > 0 ? names : there.filter((known) => known !== SOAK)) {
    const end = await run(node, [`bench/${name}.ts`], { env });
    if (end.code !== 0) return end;
  }
  return { code: 0, signal: null };
}

const [verb = '', ...args] = process.argv.slice(2);
try {
  if (!Object.hasOwn(verbs, verb))
    throw new SetUpError(`usage: node scripts/run.mjs ${Object.keys(verbs).join('|')} [argument…]`);
  await ensureDependencies();
  exitLike(await verbs[verb](findNode(root.href), args));
} catch (error) {
  if (!(error instanceof SetUpError)) throw error;
  process.stderr.write(`trough: ${error.message}\n`);
  process.exitCode = 1;
}
