import { expect, test } from 'vitest';
import { changeDocument } from '../../../src/actors/shared/change-document.ts';
import { MemoryMetadata } from '../../../src/metadata/memory.ts';
import { systemClock } from '../../../src/runtime/clock.ts';

const text = (bytes: Uint8Array | undefined): string => (bytes === undefined ? '' : Buffer.from(bytes).toString());

async function scene() {
  const store = new MemoryMetadata();
  await store.create('schema.a', Buffer.from('1'));
  return { store, clock: systemClock, view: { revision: Infinity } };
}

test('a change that somebody else was faster with is made again of what is there then', async () => {
  const deps = await scene();
  const seen: string[] = [];
  const outcome = await changeDocument(deps, 'schema.a', (before) => {
    seen.push(text(before?.value));
    if (seen.length === 1 && before !== undefined) {
      void deps.store.update('schema.a', Buffer.from('2'), before.revision);
    }
    return Buffer.from(`${text(before?.value)}+`);
  });
  expect(seen).toEqual(['1', '2']);
  expect(outcome).toBe('changed');
  expect(text((await deps.store.get('schema.a'))?.value)).toBe('2+');
});

test('a document that is not there is created, and one that needs no change stays', async () => {
  const deps = await scene();
  expect(await changeDocument(deps, 'schema.b', () => Buffer.from('1'))).toBe('created');
  expect(await changeDocument(deps, 'schema.a', () => undefined)).toBe('same');
  expect((await deps.store.get('schema.a'))?.revision).toBe(1);
});
