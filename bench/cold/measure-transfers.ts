import { createHash, randomBytes } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestHdfs } from '../../test/support/hdfs.ts';
import { PlainWebHdfs } from '../support/plain-webhdfs.ts';
import { median } from '../support/samples.ts';
import { say } from '../support/say.ts';
import { type MeasuredTransfer, runTransfer, type Transfer } from './transfer.ts';

const SYSTEMS = ['plain', 'trough'] as const;
const MIB = 2 ** 20;
const SMALL_BYTES = 78_000;
const SMALL_IN_FLIGHT = 32;

/** What each is to reach beside the baseline. */
const LEAST = { large: 0.9, small: 0.7 };
const MOST_GROWN_BYTES = 150e6;

export interface TransferPlan {
  readonly rounds: number;
  readonly largeBytes: number;
  readonly smallFiles: number;
  readonly isChosen: (line: string) => boolean;
}

/** Large files up and down, many small ones down: beside the baseline, in turns. The figures that are not reached, as sentences. */
export async function measureTransfers(hdfs: TestHdfs, directory: string, plan: TransferPlan): Promise<string[]> {
  const large = join(directory, 'large');
  const small = join(directory, 'small');
  await fillFile(small, SMALL_BYTES);
  const shared = { authority: hdfs.authority, root: '/bench', smallFile: small, scratch: directory };
  const failures: string[] = [];
  if (plan.isChosen('large')) {
    await fillFile(large, plan.largeBytes);
    const one = { ...shared, inFlight: 1, file: large, sha256: await shaOf(large) };
    const up = await inTurns(plan.rounds, (system, round) => ({
      ...one,
      system,
      way: 'up',
      ids: [`up-${system}-100`],
      run: `up-${round}`,
    }));
    failures.push(...report('up', plan.largeBytes / MIB, 'MiB/s', LEAST.large, up));
    const down = await inTurns(plan.rounds, (system, round) => ({
      ...one,
      system,
      way: 'down',
      ids: ['up-trough-100'],
      run: `down-${system}-${round}`,
    }));
    failures.push(...report('down', plan.largeBytes / MIB, 'MiB/s', LEAST.large, down));
  }
  if (plan.isChosen('small')) {
    const ids = Array.from({ length: plan.smallFiles }, (_, number) => `small-${String(10_000 + number)}`);
    await putAll(hdfs, ids, small);
    const many = { ...shared, inFlight: SMALL_IN_FLIGHT, file: small, sha256: await shaOf(small), ids };
    const down = await inTurns(plan.rounds, (system, round) => ({
      ...many,
      system,
      way: 'down',
      run: `small-${system}-${round}`,
    }));
    failures.push(...report(`${String(ids.length)} files down`, ids.length, 'files/s', LEAST.small, down));
  }
  return failures;
}

type Results = Readonly<Record<(typeof SYSTEMS)[number], MeasuredTransfer[]>>;

/** Each system in each round, the one that begins changing with it. */
async function inTurns(
  rounds: number,
  make: (system: (typeof SYSTEMS)[number], round: string) => Transfer,
): Promise<Results> {
  const results: Results = { plain: [], trough: [] };
  for (let round = 0; round < rounds; round += 1) {
    for (const system of round % 2 === 0 ? SYSTEMS : SYSTEMS.toReversed()) {
      const transfer = make(system, String(round));
      results[system].push(await runTransfer(transfer));
      await Promise.all(transfer.ids.map((id) => rm(join(transfer.scratch, `${transfer.run}-${id}`), { force: true })));
    }
  }
  return results;
}

function report(what: string, units: number, unit: string, least: number, results: Results): string[] {
  const rateOf = (system: (typeof SYSTEMS)[number]): number =>
    units / median(results[system].map(({ seconds }) => seconds));
  const [own, plain] = [rateOf('trough'), rateOf('plain')];
  const grown = Math.max(...results.trough.map(({ grownBytes }) => grownBytes));
  const ratio = own / plain;
  const runs = SYSTEMS.map(
    (system) => `${system} ${results[system].map(({ seconds }) => (units / seconds).toFixed(0)).join(' ')}`,
  ).join(', ');
  say(
    `${what.padEnd(18)} trough ${own.toFixed(0)} ${unit}, plain ${plain.toFixed(0)} ${unit}, ratio ${ratio.toFixed(2)} (least ${String(least)}), ` +
      `memory +${(grown / 1e6).toFixed(0)} MB (${runs})`,
  );
  say(`${' '.repeat(19)}CPU: ${SYSTEMS.map((system) => `${system} ${cpuOf(results[system])}`).join('; ')}`);
  const failures: string[] = [];
  if (ratio < least) failures.push(`${what}: ${ratio.toFixed(2)} of the baseline, not ${String(least)}`);
  if (grown > MOST_GROWN_BYTES) failures.push(`${what}: memory grows by ${(grown / 1e6).toFixed(0)} MB`);
  return failures;
}

function cpuOf(results: readonly MeasuredTransfer[]): string {
  const client = median(results.map(({ cpuSeconds }) => cpuSeconds));
  const servers = median(results.map(({ serverCpuSeconds }) => serverCpuSeconds));
  return `${client.toFixed(1)} s the client, ${servers.toFixed(1)} s HDFS`;
}

async function putAll(hdfs: TestHdfs, ids: readonly string[], file: string): Promise<void> {
  using plain = new PlainWebHdfs(hdfs.url);
  const ahead = [...ids];
  const worker = async (): Promise<void> => {
    for (let id = ahead.pop(); id !== undefined; id = ahead.pop()) {
      await plain.put(`/bench/${id.slice(0, -3)}/${id}.sqlite`, file);
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
}

async function fillFile(path: string, bytes: number): Promise<void> {
  await using file = await open(path, 'w');
  for (let at = 0; at < bytes; at += MIB) await file.write(randomBytes(Math.min(MIB, bytes - at)));
}

async function shaOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await using file = await open(path, 'r');
  for await (const piece of file.createReadStream()) hash.update(piece as Buffer);
  return hash.digest('hex');
}
