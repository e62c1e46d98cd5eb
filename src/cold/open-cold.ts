import { type Log } from '../log.ts';
import { parseColdPlace } from '../model/cold-place.ts';
import { type Clock } from '../runtime/clock.ts';
import { type ColdCare } from './cold-care.ts';
import { type ColdStore } from './cold-store.ts';
import { LocalDirectory } from './local-directory.ts';

/** What the settings say of cold storage; plain values, so that another process can be told the same. */
export interface ColdSettings {
  /** A directory, or the address of an HDFS. */
  readonly place: string;
  readonly apiPath?: string | undefined;
  readonly authorizationFile?: string | undefined;
  readonly caFile?: string | undefined;
  readonly replicas?: number | undefined;
}

interface Deps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

/** The driver for that place. CONFIG_INVALID when the place is none, COLD_FAILED when its file of authorities cannot be read. */
export async function openCold(
  { place: raw, ...options }: ColdSettings,
  { clock, random, log }: Deps,
): Promise<ColdStore & ColdCare & Partial<Disposable>> {
  const place = parseColdPlace(raw);
  if (place.kind === 'directory') return new LocalDirectory({ root: place.path });
  // Loaded where it is used: its package is large.
  const { WebHdfs } = await import('./webhdfs/webhdfs.ts');
  return new WebHdfs({ ...options, place, clock, random }, log);
}
