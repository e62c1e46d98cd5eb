import { TroughError } from '../errors.ts';
import { createLog } from '../log.ts';
import { type RunningRoles } from '../roles/start.ts';
import { loadSettings, type LoadedSettings } from '../settings/load.ts';
import { printSettings } from '../settings/print.ts';
import { flagName, SETTING_LIST, type SettingKey } from '../settings/schema.ts';
import { type CliContext, type StopSignal } from './context.ts';
import { EXIT, SIGNAL_EXIT } from './exit-code.ts';
import { UsageError } from './usage-error.ts';

/** As commander hands them over: by the camel-case form of the flag. */
export type RunOptions = Readonly<Record<string, string | readonly string[] | boolean | undefined>>;

/** Runs the roles until a signal or a failure ends them; the result is the exit code. */
export async function runVerb(context: CliContext, options: RunOptions): Promise<number> {
  const loaded = await load(context, options);
  if (options['printConfig'] === true) {
    await context.stdout.write(printSettings(loaded));
    for (const warning of loaded.warnings) await context.stderr.write(`trough: ${warning}\n`);
    return EXIT.ok;
  }
  const log = createLog(loaded.settings.logLevel, { node: loaded.settings.node });
  for (const warning of loaded.warnings) log.warn({ warning }, 'a setting may not do what was meant');
  return run(context, loaded.settings);
}

async function load(context: CliContext, options: RunOptions): Promise<LoadedSettings> {
  const flags: Partial<Record<SettingKey, string | readonly string[]>> = {};
  for (const [key] of SETTING_LIST) {
    const value = options[flagName(key).replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())];
    if (value !== undefined && typeof value !== 'boolean') flags[key] = value;
  }
  const configFile = typeof options['config'] === 'string' ? options['config'] : undefined;
  try {
    return await loadSettings({ host: context.host, flags, configFile });
  } catch (error) {
    const known = TroughError.from(error);
    throw new UsageError(known.message, known.code);
  }
}

async function run(context: CliContext, settings: LoadedSettings['settings']): Promise<number> {
  const stop = stopRequests(context);
  // Loaded here and not above: the verbs that only ask the cluster start faster without the roles.
  const { startRoles } = await import('../roles/start.ts');
  const giveUp = new AbortController();
  void stop.first.then(() => {
    giveUp.abort();
  });
  const starting = startRoles(settings, context.host, giveUp.signal);
  let roles: RunningRoles;
  try {
    const first = await Promise.race([starting, stop.first]);
    if (typeof first === 'string') forceAfterGrace(context, settings.stopGraceMs, first);
    roles = await starting;
  } catch (error) {
    const known = TroughError.from(error);
    await context.stderr.write(`trough: ${known.message} (${known.code})\n`);
    return known.code === 'CONFIG_INVALID' ? EXIT.usage : EXIT.failed;
  }
  if (!stop.asked()) await context.stdout.write(`${JSON.stringify(roles.ready)}\n`);
  const end = await Promise.race([stop.first, roles.failed]);
  const cancelForce = forceAfterGrace(context, settings.stopGraceMs, end);
  await roles[Symbol.asyncDispose]();
  cancelForce();
  if (typeof end === 'string') return EXIT.ok;
  await context.stderr.write(`trough: ${end.message} (${end.code})\n`);
  return EXIT.failed;
}

/** The first signal asks for a stop; the second ends the process at once. */
function stopRequests(context: CliContext): { first: Promise<StopSignal>; asked: () => boolean } {
  const { promise, resolve } = Promise.withResolvers<StopSignal>();
  let asked = false;
  context.onSignal((signal) => {
    if (asked) context.exitNow(SIGNAL_EXIT[signal]);
    asked = true;
    resolve(signal);
  });
  return { first: promise, asked: () => asked };
}

function forceAfterGrace(context: CliContext, graceMs: number, why: StopSignal | TroughError): () => void {
  return context.clock.after(graceMs, () => {
    void context.stderr.write(`trough: not stopped within ${String(graceMs)} ms; ends now\n`).finally(() => {
      context.exitNow(typeof why === 'string' ? SIGNAL_EXIT[why] : EXIT.failed);
    });
  });
}
