import { describe, expect, it } from 'vitest';
import { TroughError } from '../../src/errors.ts';
import { type MetadataStore, type WatchEvent } from '../../src/metadata/metadata-store.ts';
import { eventually } from '../support/eventually.ts';

/** An empty store for one test. */
export interface MetadataDriver extends AsyncDisposable {
  readonly store: MetadataStore;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: Uint8Array | undefined): string => new TextDecoder().decode(value);

export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'none';
  } catch (error) {
    return error instanceof TroughError ? error.code : `not a TroughError: ${String(error)}`;
  }
}

/** Runs `work` for 0 … count-1, `parallel` at a time. */
export async function inParallel(
  count: number,
  parallel: number,
  work: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) {
      const index = next;
      next += 1;
      await work(index);
    }
  };
  await Promise.all(Array.from({ length: parallel }, lane));
}

/** What a watcher was told, and the state that it makes of it. */
export class WatchRecord {
  readonly events: WatchEvent[] = [];
  readonly state = new Map<string, string>();
  readonly hear = (event: WatchEvent): void => {
    this.events.push(event);
    if (event.kind === 'put') this.state.set(event.key, text(event.value));
    else if (event.kind === 'delete') this.state.delete(event.key);
  };

  get story(): string[] {
    return this.events.map((event) => {
      if (event.kind === 'put') return `put ${event.key} ${text(event.value)}`;
      return event.kind === 'delete' ? `delete ${event.key}` : 'current';
    });
  }

  get isCurrent(): boolean {
    return this.events.some(({ kind }) => kind === 'current');
  }
}

async function listed(store: MetadataStore, prefix: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { key, value } of store.list(prefix)) found.push(`${key} ${text(value)}`);
  return found.sort();
}

/** What every metadata store does. `open` gives an empty one. */
export function metadataContract(name: string, open: () => Promise<MetadataDriver>): void {
  describe(`metadata in ${name}: documents`, () => {
    it('gives back what was created, with its revision', async () => {
      await using driver = await open();
      const { store } = driver;
      expect(await store.get('leader')).toBeUndefined();
      const revision = await store.create('leader', bytes('n1'));
      const entry = await store.get('leader');
      expect([entry?.key, text(entry?.value), entry?.revision]).toEqual(['leader', 'n1', revision]);
    });

    it('lets one of fifty creators of a key win, and tells the others', async () => {
      await using driver = await open();
      const { store } = driver;
      const codes = await Promise.all(
        Array.from({ length: 50 }, (_, index) => codeOf(store.create('lease.a', bytes(`writer ${String(index)}`)))),
      );
      expect(codes.filter((code) => code === 'none')).toHaveLength(1);
      expect(codes.filter((code) => code === 'METADATA_CONFLICT')).toHaveLength(49);
      expect(text((await store.get('lease.a'))?.value)).toBe(`writer ${String(codes.indexOf('none'))}`);
    });

    it('loses no increment when many count on one key', async () => {
      await using driver = await open();
      const { store } = driver;
      await store.create('counter', bytes('0'));
      const increment = async (): Promise<void> => {
        for (;;) {
          const entry = await store.get('counter');
          const next = bytes(String(Number(text(entry?.value)) + 1));
          const code = await codeOf(store.update('counter', next, entry?.revision ?? 0));
          if (code === 'none') return;
          expect(code).toBe('METADATA_CONFLICT');
        }
      };
      await inParallel(100, 5, increment);
      expect(text((await store.get('counter'))?.value)).toBe('100');
    });

    it('refuses to change or delete what is not at the expected revision', async () => {
      await using driver = await open();
      const { store } = driver;
      const first = await store.create('a', bytes('1'));
      const second = await store.update('a', bytes('2'), first);
      expect(second).toBeGreaterThan(first);
      expect(await codeOf(store.update('a', bytes('3'), first))).toBe('METADATA_CONFLICT');
      expect(await codeOf(store.delete('a', first))).toBe('METADATA_CONFLICT');
      expect(await codeOf(store.update('nothing', bytes('3'), second))).toBe('METADATA_CONFLICT');
      expect(await codeOf(store.update('nothing', bytes('3'), 0))).toBe('METADATA_CONFLICT');
      expect(await codeOf(store.delete('nothing', 0))).toBe('METADATA_CONFLICT');
      expect(text((await store.get('a'))?.value)).toBe('2');
    });

    it('forgets a deleted key, which can then be created again and again', async () => {
      await using driver = await open();
      const { store } = driver;
      let before = 0;
      for (const value of ['one', 'two', 'three']) {
        const revision = await store.create('a', bytes(value));
        expect(revision).toBeGreaterThan(before);
        before = revision;
        await store.delete('a', revision);
        expect(await store.get('a')).toBeUndefined();
        expect(await listed(store, '')).toEqual([]);
        expect(await codeOf(store.delete('a', revision))).toBe('METADATA_CONFLICT');
      }
    });

    it('lets one of many creators win after a deletion', async () => {
      await using driver = await open();
      const { store } = driver;
      await store.delete('a', await store.create('a', bytes('old')));
      const codes = await Promise.all(Array.from({ length: 20 }, () => codeOf(store.create('a', bytes('new')))));
      expect(codes.filter((code) => code === 'none')).toHaveLength(1);
      expect(codes.filter((code) => code === 'METADATA_CONFLICT')).toHaveLength(19);
    });

    it('keeps any bytes, also none', async () => {
      await using driver = await open();
      const { store } = driver;
      const all = Uint8Array.from({ length: 256 }, (_, index) => index);
      await store.create('bytes', all);
      await store.create('empty', new Uint8Array(0));
      expect(Array.from((await store.get('bytes'))?.value ?? [])).toEqual(Array.from(all));
      expect((await store.get('empty'))?.value.length).toBe(0);
      expect(await listed(store, 'empty.')).toEqual([]);
    });

    it('refuses keys and prefixes that are not whole tokens', async () => {
      await using driver = await open();
      const { store } = driver;
      for (const key of ['', 'a b', 'a.', '.a', 'a..b', 'a.*', 'a.>', 'ä']) {
        expect(await codeOf(store.create(key, bytes('x')))).toBe('REQUEST_INVALID');
      }
      expect(await codeOf(listed(store, 'lease'))).toBe('REQUEST_INVALID');
    });

    it('does nothing when the signal has fired before', async () => {
      await using driver = await open();
      const { store } = driver;
      const stop = new TroughError('STOPPING', 'the process is stopping');
      const signal = AbortSignal.abort(stop);
      await expect(store.get('a', signal)).rejects.toBe(stop);
      expect(await codeOf(store.create('a', bytes('x'), signal))).not.toBe('none');
      expect(await store.get('a')).toBeUndefined();
    });
  });

  describe(`metadata in ${name}: listing and watching`, () => {
    it('lists exactly the keys below a prefix', async () => {
      await using driver = await open();
      const { store } = driver;
      for (const key of ['lease.a', 'lease.a=2Eb', 'leases.x', 'lease', 'node.lease'])
        await store.create(key, bytes(key));
      expect(await listed(store, 'lease.')).toEqual(['lease.a lease.a', 'lease.a=2Eb lease.a=2Eb']);
      expect(await listed(store, '')).toHaveLength(5);
      expect(await listed(store, 'nothing.')).toEqual([]);
    });

    it('lists twenty thousand documents, each once', { timeout: 60_000 }, async () => {
      await using driver = await open();
      const { store } = driver;
      await inParallel(20_000, 256, (index) =>
        store.create(`lease.s${String(index)}`, bytes(`document ${String(index)}`)),
      );
      const written = performance.now();
      const keys = new Set<string>();
      let count = 0;
      for await (const { key, value } of store.list('lease.')) {
        expect(text(value)).toBe(`document ${key.slice('lease.s'.length)}`);
        keys.add(key);
        count += 1;
      }
      expect([count, keys.size]).toEqual([20_000, 20_000]);
      expect(performance.now() - written).toBeLessThan(10_000);
    });

    it('can leave a listing in the middle', async () => {
      await using driver = await open();
      const { store } = driver;
      await inParallel(600, 16, (index) => store.create(`k.${String(index)}`, bytes('x')));
      let count = 0;
      for await (const { key } of store.list('k.')) {
        expect(key).toMatch(/^k\./);
        count += 1;
        if (count === 3) break;
      }
      expect(count).toBe(3);
      expect(await listed(store, 'k.')).toHaveLength(600);
    });

    it('tells a watcher what is there, then that this is all, then every change in order', async () => {
      await using driver = await open();
      const { store } = driver;
      const ending = new AbortController();
      const record = new WatchRecord();
      let revision = await store.create('lease.a', bytes('1'));
      await store.create('leases.x', bytes('another'));
      await store.delete('lease.gone', await store.create('lease.gone', bytes('x')));
      store.watch('lease.', record.hear, ending.signal);
      await eventually('the watch is current', () => record.isCurrent);
      for (let value = 2; value <= 50; value += 1)
        revision = await store.update('lease.a', bytes(String(value)), revision);
      await store.create('lease.b', bytes('b'));
      await store.delete('lease.a', revision);
      await eventually('the deletion is heard', () => record.story.includes('delete lease.a'));
      const possible = [
        ...Array.from({ length: 50 }, (_, index) => `put lease.a ${String(index + 1)}`),
        'put lease.b b',
        'delete lease.a',
      ];
      expect(record.story.slice(0, 2)).toEqual(['put lease.a 1', 'current']);
      // A value that was replaced before it was delivered may be left out; nothing comes twice, late or out of order.
      const places = record.story.filter((line) => line !== 'current').map((line) => possible.indexOf(line));
      expect(places).toEqual([...new Set(places)].sort((one, other) => one - other));
      expect(places).not.toContain(-1);
      expect(record.story.slice(-2)).toEqual(['put lease.b b', 'delete lease.a']);
      const revisions = record.events.map((event) => event.revision);
      expect(revisions.toSorted((a, b) => a - b)).toEqual(revisions);
      ending.abort();
    });

    it('tells a watcher each change that it has time to hear', async () => {
      await using driver = await open();
      const { store } = driver;
      const ending = new AbortController();
      const record = new WatchRecord();
      store.watch('', record.hear, ending.signal);
      for (const value of ['1', '2', '3']) {
        const revision = await store.create('a', bytes(value));
        await eventually('the value is heard', () => record.state.get('a') === value);
        await store.delete('a', revision);
        await eventually('the deletion is heard', () => !record.state.has('a'));
      }
      expect(record.story.filter((line) => line !== 'current')).toEqual(
        ['1', '2', '3'].flatMap((value) => [`put a ${value}`, 'delete a']),
      );
      ending.abort();
    });

    it('is current at once where there is nothing', async () => {
      await using driver = await open();
      const { store } = driver;
      await store.create('other.a', bytes('x'));
      const ending = new AbortController();
      const record = new WatchRecord();
      store.watch('lease.', record.hear, ending.signal);
      await eventually('the watch is current', () => record.isCurrent);
      expect(record.story).toEqual(['current']);
      ending.abort();
    });

    it('tells several watchers the same, also while much is written', async () => {
      await using driver = await open();
      const { store } = driver;
      const ending = new AbortController();
      const records = [new WatchRecord(), new WatchRecord(), new WatchRecord()];
      const writing = inParallel(1_000, 16, (index) => store.create(`k.${String(index)}`, bytes(String(index))));
      for (const record of records) store.watch('k.', record.hear, ending.signal);
      await writing;
      for (const record of records) {
        await eventually('all is heard', () => record.isCurrent && record.state.size === 1_000);
        expect(record.events).toHaveLength(1_001);
      }
      ending.abort();
    });

    it('tells nothing after the signal', async () => {
      await using driver = await open();
      const { store } = driver;
      const ending = new AbortController();
      const other = new AbortController();
      const [ended, running] = [new WatchRecord(), new WatchRecord()];
      store.watch('', ended.hear, ending.signal);
      store.watch('', running.hear, other.signal);
      await eventually('both are current', () => ended.isCurrent && running.isCurrent);
      ending.abort();
      await store.create('a', bytes('x'));
      await eventually('the other hears it', () => running.state.has('a'));
      expect(ended.story).toEqual(['current']);
      other.abort();
    });
  });
}
