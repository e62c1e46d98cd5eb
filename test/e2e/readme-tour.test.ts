import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { readFrom } from '../support/api.ts';
import { tempDir } from '../support/temp-dir.ts';
import { clientEnv, trough, type TroughRun } from '../support/trough-process.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const FLIGHTS = join(ROOT, 'node_modules', 'vega-datasets', 'data', 'flights-airport.csv');

interface Step {
  readonly commands: readonly string[];
  readonly output: string;
}

test('the tour of the README gives what the README shows, and every row of the file is there after a restart', async () => {
  const steps = await tourSteps();
  expect(steps.length).toBeGreaterThan(4);
  await using dir = await tempDir();
  const start = (): Promise<TroughRun & AsyncDisposable> => trough({ data: dir.path, node: 'vm' });

  const beforeRestart = steps.filter(({ commands }) => !commands.some((command) => command.includes('trough status')));
  {
    await using node = await start();
    for (const step of beforeRestart) await expectStep(node, step);
    await expectAllFlights(node);
  }
  // The README stops and starts here.
  await using again = await start();
  // What a node has told of itself is on the screen when it has beaten, looked at its copies and opened what it may write.
  for (const step of steps.slice(beforeRestart.length))
    await vi.waitFor(() => expectStep(again, step), { timeout: 20_000, interval: 500 });
  await expectAllFlights(again);
});

async function tourSteps(): Promise<Step[]> {
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
  const tour = readme.slice(readme.indexOf('## A tour'), readme.indexOf('## A cluster'));
  return Array.from(tour.matchAll(/```sh\n([^]*?)```\n```text\n([^]*?)```/g), ([, commands = '', output = '']) => ({
    commands: commands.trim().split('\n'),
    output,
  }));
}

async function expectStep(node: TroughRun, { commands, output }: Step): Promise<void> {
  let shown = '';
  for (const command of commands) shown += await inShell(node, command);
  expect(settled(shown), `${commands.join('\n')}\n${shown}`).toBe(settled(output));
}

/** Figures that no two runs share (times, versions, sizes, rates) count as equal; spaces as one; progress and empty lines as nothing. */
function settled(text: string): string {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.includes(' left'))
    .map((line) =>
      /routes|^\s*\d+\s|ATL,|destination/.test(line)
        ? line
        : line.replace(/\d[\d.,]*/g, '#').replace(/\b[kMGT]?B\b/g, 'B'),
    )
    .map((line) => line.replace(/ +/g, ' ').trim())
    .join('\n');
}

async function inShell(node: TroughRun, command: string): Promise<string> {
  const { read = '', nats } = node.ready.urls;
  const here = command.replaceAll('http://127.0.0.1:6444/', read);
  const env = { ...process.env, ...clientEnv(node), NATS_URL: nats, npm_config_loglevel: 'error' };
  const child = spawn('sh', ['-c', here], { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => (out += part));
  child.stderr.setEncoding('utf8').on('data', (part: string) => (out += part));
  const [code] = (await once(child, 'close')) as [number];
  expect(code, `${command}\n${out}`).toBe(0);
  return out.endsWith('\n') ? out : `${out}\n`;
}

/** The sums over all segments are those of the file, and the one row that the tour adds. */
async function expectAllFlights(node: TroughRun): Promise<void> {
  const [, ...lines] = (await readFile(FLIGHTS, 'utf8')).trim().split('\n');
  const file = new Map<string, { routes: number; flights: number }>();
  for (const line of [...lines, 'ATL,XXX,1']) {
    const [origin = '', , count] = line.split(',');
    const sums = file.get(origin) ?? { routes: 0, flights: 0 };
    file.set(origin, { routes: sums.routes + 1, flights: sums.flights + Number(count) });
  }
  expect(file.size).toBe(303);
  for (const [origin, sums] of file) {
    expect(await readFrom(node, origin, 'select count(*) routes, sum(count) flights from flights_airport')).toEqual([
      sums,
    ]);
  }
}
