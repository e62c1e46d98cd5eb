import { randomUUID } from 'node:crypto';
import { parseColdPlace, type WebHdfsPlace } from '../../src/model/cold-place.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { WebHdfs } from '../../src/cold/webhdfs/webhdfs.ts';
import { type WebHdfsOptions } from '../../src/cold/webhdfs/webhdfs-options.ts';
import { type ColdHarness } from '../contract/cold-harness.ts';
import { type TestHdfs } from '../support/hdfs.ts';
import { PlainHdfs } from '../support/hdfs-plain.ts';
import { recordingLog } from '../support/recording-log.ts';

const HOUR_MS = 3_600_000;

export function webHdfs(url: string, options: Partial<WebHdfsOptions> = {}): WebHdfs {
  const place = parseColdPlace(url) as WebHdfsPlace;
  return new WebHdfs({ place, clock: systemClock, random: Math.random, ...options }, recordingLog().log);
}

export interface WebHdfsHarness extends ColdHarness {
  readonly store: WebHdfs;
  readonly root: string;
  readonly plain: PlainHdfs;
}

/** A cold storage of its own in a running HDFS; `address` where the driver shall go to another host and port than the hands do. */
export function webHdfsHarness(
  hdfs: TestHdfs,
  options: Partial<WebHdfsOptions> & { readonly address?: string } = {},
): WebHdfsHarness {
  const { address = hdfs.authority, ...rest } = options;
  const root = `/test-${randomUUID().slice(0, 8)}`;
  const plain = new PlainHdfs(hdfs.url);
  const stores: WebHdfs[] = [];
  const open = (): WebHdfs => {
    const store = webHdfs(`webhdfs://root@${address}${root}`, rest);
    stores.push(store);
    return store;
  };
  const store = open();
  return {
    store,
    root,
    plain,
    other: open,
    absolute: (path) => `${root}/${path}`,
    place: async (path, content) => {
      const temporary = `/placing-${randomUUID()}`;
      await plain.put(temporary, content);
      const target = `${root}/${path}`;
      await plain.makeDirectory(target.slice(0, target.lastIndexOf('/')));
      await plain.rename(temporary, target);
    },
    drop: (path) => plain.remove(`${root}/${path}`),
    read: (path) => plain.get(`${root}/${path}`),
    everything: () => plain.files(root),
    fill: (paths) => hdfs.fill(paths.map((path) => `${root}/${path}`)),
    settle: () => hdfs.age(root, HOUR_MS),
    age: (path, ms) => hdfs.age(`${root}/${path}`, ms),
    directoriesRead: () => store.directoriesRead,
    [Symbol.asyncDispose]: async () => {
      for (const one of stores) one[Symbol.dispose]();
      await plain.remove(root);
    },
  };
}
