import { readFile } from 'node:fs/promises';
import { type z } from 'zod';
import { TroughError } from '../errors.ts';
import { readConfigFile } from './config-file.ts';
import { findConflicts, findOddities } from './conflicts.ts';
import { didYouMean } from './did-you-mean.ts';
import { type Host } from './host.ts';
import { type Findings, type Origin } from './origin.ts';
import { envName, flagName, SETTING_LIST, type SettingKey, type Settings } from './schema.ts';
import { type DefaultContext } from './values.ts';

/** Variables that are read elsewhere. */
const OTHER_VARIABLES = [
  'TROUGH_SETTINGS',
  'TROUGH_NATS_SERVER',
  'TROUGH_READ_URL',
  'TROUGH_WRITE_URL',
  'TROUGH_MANAGER_URL',
];

export interface SettingsInput {
  readonly host: Pick<Host, 'env' | 'hostname' | 'cores'>;
  /** By key; as the command line gave them. */
  readonly flags: Readonly<Partial<Record<SettingKey, string | readonly string[]>>>;
  /** `--config`; absent: $TROUGH_SETTINGS, else no file. */
  readonly configFile?: string | undefined;
}

export interface LoadedSettings {
  readonly settings: Settings;
  readonly origins: Readonly<Record<SettingKey, Origin>>;
  /** Sentences for a person; nothing is wrong. */
  readonly warnings: readonly string[];
}

/**
 * One frozen `Settings` from the file, the environment and the flags, the later ones winning.
 * CONFIG_INVALID says every problem in a line of its own: the place, and what to do.
 */
export async function loadSettings(input: SettingsInput): Promise<LoadedSettings> {
  const findings: Findings = { given: new Map(), problems: [], warnings: [] };
  const path = input.configFile ?? nonEmpty(input.host.env['TROUGH_SETTINGS']);
  if (path !== undefined) readConfigFile(path, await readText(path), findings);
  readEnvironment(input.host.env, findings);
  for (const [key] of SETTING_LIST) {
    const raw = input.flags[key];
    if (raw !== undefined) findings.given.set(key, { raw, origin: { kind: 'flag', place: `flag --${flagName(key)}` } });
  }
  const loaded = check(findings, input.host);
  if (findings.problems.length === 0) findings.problems.push(...findConflicts(loaded.settings, loaded.origins));
  if (findings.problems.length > 0) throw new TroughError('CONFIG_INVALID', findings.problems.join('\n'));
  return { ...loaded, warnings: [...findings.warnings, ...findOddities(loaded.settings, loaded.origins)] };
}

function readEnvironment(env: Host['env'], findings: Findings): void {
  const names = new Map(SETTING_LIST.map(([key]) => [envName(key), key]));
  for (const [name, raw] of Object.entries(env)) {
    if (!name.startsWith('TROUGH_') || OTHER_VARIABLES.includes(name)) continue;
    const key = names.get(name);
    if (key === undefined) {
      const hint = didYouMean(name, [...names.keys(), ...OTHER_VARIABLES]);
      findings.problems.push(`environment ${name}: there is no such setting${hint}`);
    } else if (nonEmpty(raw) !== undefined) {
      findings.given.set(key, { raw, origin: { kind: 'environment', place: `environment ${name}` } });
    }
  }
}

function check(findings: Findings, host: SettingsInput['host']): Omit<LoadedSettings, 'warnings'> {
  const values: Record<string, unknown> = {};
  const origins: Record<string, Origin> = {};
  const context: DefaultContext = { hostname: host.hostname, cores: host.cores, text: (key) => String(values[key]) };
  for (const [key, setting] of SETTING_LIST) {
    const given = findings.given.get(key);
    values[key] = setting.fallback(context);
    origins[key] = given?.origin ?? { kind: 'default', place: 'default' };
    if (given === undefined) continue;
    const parsed = setting.value.safeParse(given.raw);
    if (parsed.success) values[key] = parsed.data;
    else findings.problems.push(...parsed.error.issues.map((issue) => `${given.origin.place}: ${sentence(issue)}`));
  }
  return { settings: deepFreeze(values) as Settings, origins: origins as Record<SettingKey, Origin> };
}

function sentence(issue: z.core.$ZodIssue): string {
  const where =
    issue.path.length > 0
      ? `${issue.path.map((part) => (typeof part === 'number' ? `item ${String(part + 1)}` : String(part))).join(', ')}: `
      : '';
  return `${where}${issue.message}`;
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const reason =
      (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : TroughError.from(error).message;
    throw new TroughError('CONFIG_INVALID', `settings file ${path}: ${reason}`, { path }, error);
  }
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}

function deepFreeze(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}
