import { expect, it } from 'vitest';
import { MemoryMetadata } from '../../src/metadata/memory.ts';
import { eventually } from '../support/eventually.ts';
import { WatchRecord, codeOf, metadataContract } from './metadata.ts';

metadataContract('memory', () => {
  const store = new MemoryMetadata();
  return Promise.resolve({ store, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() });
});

it('in memory, an outage refuses calls and holds back what watchers hear', async () => {
  await using store = new MemoryMetadata();
  const record = new WatchRecord();
  const ending = new AbortController();
  const revision = await store.create('a', new Uint8Array([1]));
  store.setReachable(false);
  store.watch('', record.hear, ending.signal);
  expect(await codeOf(store.update('a', new Uint8Array([2]), revision))).toBe('METADATA_UNREACHABLE');
  expect(record.events).toEqual([]);
  store.setReachable(true);
  await eventually('the watch is current', () => record.isCurrent);
  expect(record.story).toHaveLength(2);
  ending.abort();
});
