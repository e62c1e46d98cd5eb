import { Command, Option } from 'commander';
import { envName, flagName, SETTING_LIST } from '../settings/schema.ts';
import { type Setting } from '../settings/values.ts';
import { type CliContext } from './context.ts';
import { EXIT_CODES_HELP } from './exit-code.ts';
import { runVerb, type RunOptions } from './run-roles.ts';
import { addImportVerb } from './import/import-verb.ts';
import { addColdVerb } from './verbs/cold.ts';
import { addDrainVerbs } from './verbs/drain.ts';
import { addManageVerbs } from './verbs/manage.ts';
import { addPlanVerb } from './verbs/plan.ts';
import { addQueryVerb } from './verbs/query.ts';
import { addRebuildVerb } from './verbs/rebuild.ts';
import { addRuleVerb } from './verbs/rule.ts';
import { addSchemaVerb } from './verbs/schema.ts';
import { addSegmentsVerb } from './verbs/segments.ts';
import { addStatsVerb } from './verbs/stats.ts';
import { addStatusVerb } from './verbs/status.ts';
import { addTailVerb } from './verbs/tail.ts';
import { addWhereVerb } from './verbs/where.ts';
import { addWriteVerb } from './verbs/write.ts';

const EXAMPLES = `
Examples:
  trough                                         all roles in one process, data in ./data
  trough --role reader --role sync-local --nats nats://10.0.0.5:4222 --node n2
  trough import flights-airport.csv --segment-by origin
  trough query ATL 'select count(*) from flights_airport'
  trough status

Settings of the roles (ports, directories, NATS, …): trough run --help
`;

/** The whole command line. `outcome` takes the exit code of a verb that ended well; `text` what commander wants to print. */
export function buildProgram(
  context: CliContext,
  outcome: { code: number },
  text: { out: string; err: string },
): Command {
  const program = new Command('trough')
    .description('Very many small SQLite databases on a pool of machines. Without a verb: runs the roles.')
    .version(context.host.version)
    .usage('[VERB] [OPTION…]')
    .enablePositionalOptions()
    .exitOverride()
    .showHelpAfterError(false)
    .configureOutput({
      writeOut: (part) => {
        text.out += part;
      },
      writeErr: () => undefined,
      getOutHelpWidth: () => (context.stdout.isTty ? context.stdout.columns : 120),
    })
    .addHelpText('after', `${EXAMPLES}\n${EXIT_CODES_HELP}`);
  addRunVerb(program, context, outcome);
  const verbs = { context, outcome };
  addQueryVerb(program, verbs);
  addWriteVerb(program, verbs);
  addTailVerb(program, verbs);
  addManageVerbs(program, verbs);
  addSegmentsVerb(program, verbs);
  addSchemaVerb(program, verbs);
  addStatusVerb(program, verbs);
  addWhereVerb(program, verbs);
  addPlanVerb(program, verbs);
  addDrainVerbs(program, verbs);
  addRuleVerb(program, verbs);
  addColdVerb(program, verbs);
  addRebuildVerb(program, verbs);
  addStatsVerb(program, verbs);
  addImportVerb(program, verbs);
  return program;
}

function addRunVerb(program: Command, context: CliContext, outcome: { code: number }): void {
  const run = program
    .command('run', { isDefault: true })
    .description('run the roles (also what happens without a verb)')
    .allowExcessArguments(false)
    .option('--config <FILE>', 'settings file, YAML; the keys are those of --print-config (default: $TROUGH_SETTINGS)')
    .option('--print-config', 'print every setting with where its value came from, and end');
  for (const [key, setting] of SETTING_LIST) run.addOption(settingOption(key, setting));
  run.addHelpText('after', RUN_HELP).action(async (options: RunOptions) => {
    outcome.code = await runVerb(context, options);
  });
}

const RUN_HELP = `
Each setting is also a key of the settings file (queryDeadline) and a variable (TROUGH_QUERY_DEADLINE).
A flag wins over a variable, a variable over the file. Durations are written 500ms 5s 2m 1h, sizes 64MB 1GiB.
When all roles are ready, one line {"ready":true,…} goes to stdout. Logs go to stderr.

Examples:
  trough                                              all roles, data in ./data
  trough --config trough.yaml --print-config          what would be used, and why
  trough --data /srv/trough --bind 0.0.0.0 --nats nats://n1:4222,nats://n2:4222 --cold /mnt/shared/trough
  TROUGH_QUERY_DEADLINE=3s trough --role=reader --role=sync-local --nats nats://n1:4222`;

function settingOption(key: (typeof SETTING_LIST)[number][0], setting: Setting<unknown>): Option {
  const example = { hostname: 'localhost', cores: 1, text: () => '' };
  const shown = setting.show(setting.fallbackHelp === undefined ? setting.fallback(example) : null);
  const fallback = setting.fallbackHelp ?? (typeof shown === 'string' ? shown : JSON.stringify(shown));
  const option = new Option(
    `--${flagName(key)} <${setting.placeholder}>`,
    `${setting.help} [${fallback}; ${envName(key)}]`,
  );
  if (setting.many === true) option.argParser((one: string, before?: string[]) => [...(before ?? []), one]);
  return option;
}
