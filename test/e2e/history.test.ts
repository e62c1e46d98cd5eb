import { describe, expect, it } from 'vitest';
import { runHistory } from '../history/run-history.ts';

const MINUTES = 0.5;
/** The last fault is undone and the last write repeated for as long as they take. */
const TEST_MS = 300_000;

describe.each([1, 3] as const)('on %i nats-server(s)', (servers) => {
  it(
    'half a minute of writes and strong reads under random faults: nothing is lost, doubled, out of order or stale',
    async () => {
      const said: string[] = [];
      const report = await runHistory({ minutes: MINUTES, servers, seed: servers, say: (line) => said.push(line) });
      expect(report.violations, said.join('\n')).toEqual([]);
      expect(report.faults.length).toBeGreaterThan(0);
    },
    TEST_MS,
  );
});
