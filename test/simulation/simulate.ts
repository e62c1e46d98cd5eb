import './small-slots.ts';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    only: { type: 'string' },
    seed: { type: 'string' },
    lines: { type: 'string', default: '150' },
    first: { type: 'boolean', default: false },
  },
});
const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};
// The program is loaded after the hook is in place.
const { simulate, simulateOne } = await import('./report.ts');
const first = Number(values.from);
const seeds =
  values.only?.split(',').map(Number) ?? Array.from({ length: Number(values.seeds) }, (_, at) => first + at);
const isGood =
  values.seed === undefined
    ? await simulate({ seeds, lines: Number(values.lines), stopsAtFirst: values.first, say })
    : await simulateOne(Number(values.seed), say);
process.exitCode = isGood ? 0 : 1;
