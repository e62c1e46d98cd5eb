/**
 * What the control plane costs, in lines that BENCH_LINES chooses: `planning`, `catalogue`, `inventory`, `traffic`, `discovery`, `nodes`, `fetching`. Ends with 1 when a
 * figure is beyond its limit. From the environment too: BENCH_ROUNDS, BENCH_SEGMENTS (of the catalogue and the traffic, default 10,000,000), BENCH_COPIES (of the inventory,
 * 1,500,000), BENCH_FILES (of the discovery, 1,000,000), BENCH_NODE_SEGMENTS (of the nodes, 20,000), BENCH_SECONDS and BENCH_LARGE_FILES (of the fetching,
 * 4 and 100: more than a node fetches in that time).
 */
import { measureCatalogue } from './control/catalogue.ts';
import { measureDiscovery } from './control/discovery.ts';
import { measureFetching } from './control/fetching.ts';
import { measureInventory } from './control/inventory.ts';
import { measureNodes } from './control/nodes.ts';
import { measurePlanning } from './control/planning.ts';
import { measureTraffic } from './control/traffic.ts';
import { conditions } from './support/conditions.ts';
import { isChosen, planFrom, positive } from './support/plan.ts';
import { say } from './support/say.ts';

const plan = planFrom(process.env);

const lines: Record<string, () => Promise<readonly string[]> | readonly string[]> = {
  planning: () => {
    const { lines, failures } = measurePlanning(Math.max(plan.rounds, 3));
    for (const line of lines) say(line);
    return failures;
  },
  catalogue: () => measureCatalogue(positive(process.env, 'BENCH_SEGMENTS', 10_000_000)),
  inventory: () => measureInventory([100_000, 1_000_000, positive(process.env, 'BENCH_COPIES', 1_500_000)]),
  traffic: () => measureTraffic(positive(process.env, 'BENCH_SEGMENTS', 10_000_000), Math.max(plan.seconds, 60)),
  discovery: () => measureDiscovery(positive(process.env, 'BENCH_FILES', 1_000_000)),
  nodes: () => measureNodes(positive(process.env, 'BENCH_NODE_SEGMENTS', 20_000)),
  fetching: () => measureFetching(plan.rounds, plan.seconds, positive(process.env, 'BENCH_LARGE_FILES', 100)),
};

say(conditions({ troughArgs: [] })[0] ?? '');
const failures: string[] = [];
for (const [name, measure] of Object.entries(lines)) if (isChosen(name, plan)) failures.push(...(await measure()));
for (const failure of failures) say(`failed: ${failure}`);
process.exitCode = failures.length === 0 ? 0 : 1;
