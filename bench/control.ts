/** What the control plane costs: planning, so far. Ends with 1 when a figure is beyond its limit. */
import { conditions } from './support/conditions.ts';
import { measurePlanning } from './control/planning.ts';
import { planFrom } from './support/plan.ts';
import { say } from './support/say.ts';

const { rounds } = planFrom(process.env);
say(conditions({ troughArgs: [] })[0] ?? '');
const { lines, failures } = measurePlanning(Math.max(rounds, 3));
for (const line of lines) say(line);
for (const failure of failures) say(`failed: ${failure}`);
process.exitCode = failures.length === 0 ? 0 : 1;
