const STEPS = [
  ['types', 'typescript/bin/tsc', '-p', '.'],
  ['lint', 'eslint/bin/eslint.js', '--max-warnings', '0', '.'],
  ['format', 'prettier/bin/prettier.cjs', '--check', '--log-level', 'warn', '.'],
  [
    'import rules',
    'dependency-cruiser/bin/dependency-cruiser.mjs',
    '--config',
    '.dependency-cruiser.cjs',
    'src',
    'bin',
    'scripts',
  ],
  ['dead code', 'knip/bin/knip.js'],
];

/** Runs every step by `run`, also after one that failed, and says at the end which did. */
export async function check(node, run) {
  const failed = [];
  for (const [name, program, ...args] of STEPS) {
    process.stdout.write(`\n== ${name}\n`);
    const { code, signal } = await run(node, [`node_modules/${program}`, ...args]);
    if (signal !== null) return { code, signal };
    if (code !== 0) failed.push(name);
  }
  process.stdout.write(failed.length === 0 ? '\nall checks passed\n' : `\nfailed: ${failed.join(', ')}\n`);
  return { code: failed.length === 0 ? 0 : 1, signal: null };
}
