import { parseArgs } from 'node:util';
import { runHistory } from './run-history.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    servers: { type: 'string', default: '1' },
    nodes: { type: 'string', default: '3' },
    segments: { type: 'string', default: '20' },
    clients: { type: 'string', default: '2' },
    seed: { type: 'string' },
  },
});
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
say(`seed ${String(seed)}, ${values.minutes} minutes, ${values.servers} nats-server(s), ${values.nodes} nodes`);
const { violations } = await runHistory({
  minutes: Number(values.minutes),
  servers: values.servers === '3' ? 3 : 1,
  nodes: Number(values.nodes),
  segments: Number(values.segments),
  clientsPerSegment: Number(values.clients),
  seed,
  say,
});
process.exitCode = violations.length === 0 ? 0 : 1;
