import { expect, test } from 'vitest';
import { CopyPasser } from '../../../src/actors/copies/copy-passer.ts';
import { sha256Of } from '../../support/fake-cold-store.ts';
import { A, copying, paths } from './copier-fixture.ts';

async function passing() {
  const scene = await copying();
  const { disk, inventory } = scene;
  disk.files.set(paths.copy(A), 'one');
  await inventory.add({ id: A, version: 70, sizeBytes: 3, sha256: sha256Of('one'), verifiedMs: 0 });
  const damaged: string[] = [];
  const passer = new CopyPasser({ disk, inventory, emit: ({ segment }) => damaged.push(segment) });
  return { ...scene, passer, damaged };
}

async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}

test('a copy is passed on with its checksum', async () => {
  const { passer, damaged } = await passing();
  const { sha256, body } = await passer.pass({ segment: 'a', version: 70, sha256: null });
  expect([sha256, await textOf(body), damaged]).toEqual([sha256Of('one'), 'one', []]);
});

test.each([
  ['another version', { segment: 'a', version: 71, sha256: null }],
  ['another content', { segment: 'a', version: 70, sha256: sha256Of('other') }],
  ['another segment', { segment: 'b', version: 70, sha256: null }],
])('%s is not here', async (_what, request) => {
  const { passer } = await passing();
  await expect(passer.pass(request)).rejects.toMatchObject({ code: 'SEGMENT_UNKNOWN' });
});

test('a copy that is damaged here too does not arrive whole, and is replaced here', async () => {
  const { passer, damaged, disk } = await passing();
  disk.files.set(paths.copy(A), 'o?e');
  const { body } = await passer.pass({ segment: 'a', version: 70, sha256: null });
  await expect(textOf(body)).rejects.toMatchObject({ code: 'SEGMENT_DAMAGED' });
  expect(damaged).toEqual(['a']);
});
