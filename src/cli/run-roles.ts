import { TroughError } from '../errors.ts';
import { createLog } from '../log.ts';
import { type RunningRoles } from '../roles/start.ts';
import { loadSettings, type LoadedSettings } from '../settings/load.ts';
import { printSettings } from '../settings/print.ts';
import { flagName, SETTING_LIST, type SettingKey } from '../settings/schema.ts';
import { type CliContext } from './context.ts';
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
  using stop = new StopRequests(context, settings.stopGraceMs);
  // Loaded here and not above: the verbs that only ask the cluster start faster without the roles.
  const { startRoles } = await import('../roles/start.ts');
  let roles: RunningRoles;
  try {
    roles = await startRoles(settings, context.host, stop.signal);
  } catch (error) {
    if (stop.signal.aborted) return EXIT.ok;
    const known = TroughError.from(error);
    await context.stderr.write(`trough: ${known.message} (${known.code})\n`);
    return known.code === 'CONFIG_INVALID' ? EXIT.usage : EXIT.failed;
  }
  if (!stop.signal.aborted) await context.stdout.write(`${JSON.stringify(roles.ready)}\n`);
  const failure = await Promise.race([stop.asked, roles.failed]);
  if (failure !== undefined) stop.forceAfterGrace(EXIT.failed);
  await roles[Symbol.asyncDispose]();
  if (failure === undefined) return EXIT.ok;
  await context.stderr.write(`trough: ${failure.message} (${failure.code})\n`);
  return EXIT.failed;
}

/** A signal that comes as soon after the first is the same one, sent to the process and once more by whoever started it: npm hands on what its group was sent. */
const SAME_SIGNAL_MS = 1_000;

/** The first signal asks for a stop, which has its time of grace; a later one ends the process at once. */
class StopRequests implements Disposable {
  /** Resolves at the first signal. */
  readonly asked: Promise<undefined>;
  readonly #context: CliContext;
  readonly #graceMs: number;
  readonly #controller = new AbortController();
  #cancel: () => void = () => undefined;

  constructor(context: CliContext, graceMs: number) {
    this.#context = context;
    this.#graceMs = graceMs;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.asked = promise;
    let askedAt = Infinity;
    context.onSignal((signal) => {
      const now = context.clock.monotonic();
      if (this.#controller.signal.aborted) {
        if (now - askedAt >= SAME_SIGNAL_MS) context.exitNow(SIGNAL_EXIT[signal]);
        return;
      }
      askedAt = now;
      this.forceAfterGrace(SIGNAL_EXIT[signal]);
      this.#controller.abort();
      resolve(undefined);
    });
  }

  /** Aborted from the first signal on. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  forceAfterGrace(code: number): void {
    const { clock, stderr, exitNow } = this.#context;
    this.#cancel();
    this.#cancel = clock.after(this.#graceMs, () => {
      const sentence = `trough: not stopped within ${String(this.#graceMs)} ms; ends now\n`;
      void stderr.write(sentence).finally(() => {
        exitNow(code);
      });
    });
  }

  [Symbol.dispose](): void {
    this.#cancel();
  }
}
