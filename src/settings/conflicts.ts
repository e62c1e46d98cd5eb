import { relative, resolve, sep } from 'node:path';
import { parseColdPlace } from '../model/cold-place.ts';
import { type Origin } from './origin.ts';
import { flagName, type SettingKey, type Settings } from './schema.ts';

type Origins = Readonly<Record<SettingKey, Origin>>;

/** What is wrong with settings that are each right alone; a sentence for each. */
export function findConflicts(settings: Settings, origins: Origins): string[] {
  const at = (key: SettingKey): string =>
    origins[key].kind === 'default' ? `--${flagName(key)} (default)` : origins[key].place;
  const problems = [
    ...portConflicts(settings, at),
    ...directoryConflicts(settings, at),
    ...hdfsConflicts(settings, at),
  ];
  if (settings.nats.length > 0 && origins.natsPort.kind !== 'default') {
    problems.push(
      `${at('natsPort')} is for the nats-server that trough starts itself, but ${at('nats')} names running ones: leave one out`,
    );
  }
  if (settings.nats.length === 0 && (settings.natsReplicas ?? 1) > 1) {
    problems.push(`${at('natsReplicas')} needs a NATS cluster: name its servers with --nats`);
  }
  if (settings.queryDeadlineMs > settings.queryDeadlineLimitMs) {
    problems.push(
      `${at('queryDeadlineMs')} is longer than the most a query may ask for, ${at('queryDeadlineLimitMs')}`,
    );
  }
  return problems;
}

/** What works, but is seldom meant. */
export function findOddities(settings: Settings, origins: Origins): string[] {
  if (settings.nats.length === 0 || origins.cold.kind !== 'default') return [];
  return [
    `cold storage is ${settings.cold} on this node; the nodes of a cluster need one that all of them see: name it with --cold`,
  ];
}

const PORTS = [
  ['readPort', 'reader'],
  ['writePort', 'writer'],
  ['syncMasterPort', 'sync-master'],
  ['syncLocalPort', 'sync-local'],
] as const;

function* portConflicts(settings: Settings, at: (key: SettingKey) => string): Generator<string> {
  const used = new Map<number, SettingKey>();
  const keys: SettingKey[] = PORTS.filter(([, role]) => settings.roles.includes(role)).map(([key]) => key);
  if (settings.nats.length === 0) keys.push('natsPort');
  for (const key of keys) {
    const port = settings[key] as number;
    const other = used.get(port);
    if (port !== 0 && other !== undefined) yield `${at(key)} and ${at(other)} are both port ${String(port)}`;
    used.set(port, key);
  }
}

function* hdfsConflicts(settings: Settings, at: (key: SettingKey) => string): Generator<string> {
  if (parseColdPlace(settings.cold).kind === 'webhdfs') return;
  const { coldAuthorizationFile, coldCaFile, coldReplicas } = settings;
  for (const [key, isUsed] of Object.entries({
    coldAuthorizationFile: coldAuthorizationFile !== undefined,
    coldCaFile: coldCaFile !== undefined,
    coldReplicas: coldReplicas > 1,
  })) {
    if (!isUsed) continue;
    yield `${at(key as SettingKey)} is for cold storage in HDFS, but ${settings.cold} is a directory: leave it out, or name an HDFS with --cold`;
  }
}

function* directoryConflicts(settings: Settings, at: (key: SettingKey) => string): Generator<string> {
  if (parseColdPlace(settings.cold).kind !== 'directory') return;
  const [data, cold] = [resolve(settings.data), resolve(settings.cold)];
  if (data === cold || contains(cold, data)) {
    yield `${at('data')} lies inside ${at('cold')}, where every *.sqlite file counts as a published segment: take two directories`;
  }
  for (const own of ['segments', 'hot', 'cache', 'tmp', 'nats', 'lost+found']) {
    if (cold === resolve(data, own) || contains(resolve(data, own), cold)) {
      yield `${at('cold')} lies inside '${own}', which trough keeps for itself in ${at('data')}: take another directory`;
    }
  }
}

function contains(outer: string, inner: string): boolean {
  const path = relative(outer, inner);
  return path !== '' && path !== '..' && !path.startsWith(`..${sep}`);
}
