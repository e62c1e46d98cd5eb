import { describe, expect, it } from 'vitest';
import { type KvWrite, type PublishOutcome, type StoredValue } from '../../../src/metadata/kv-api.ts';
import { KvWriter } from '../../../src/metadata/kv-writer.ts';

const never = new AbortController().signal;
const write: KvWrite = { key: 'a', value: new Uint8Array(1), expected: 5, remove: false, messageId: 'mine' };
const lost: PublishOutcome = { kind: 'unknown', reason: 'timeout' };
const underWay: PublishOutcome = { kind: 'refused', underWay: true };
const refused: PublishOutcome = { kind: 'refused', underWay: false };

function stored(messageId: string, revision: number, replaced?: number): StoredValue {
  return { key: 'a', value: new Uint8Array(1), deleted: false, messageId, revision, replaced };
}

/** A server that answers the tries and the looks in this order, and keeps what was published. */
function server(outcomes: PublishOutcome[], lasts: (StoredValue | undefined | Error)[] = []) {
  const published: KvWrite[] = [];
  const api = {
    subjectOf: (key: string) => key,
    publish: (message: KvWrite) => {
      published.push(message);
      return Promise.resolve(outcomes.shift() ?? lost);
    },
    last: () => {
      const last = lasts.shift();
      return last instanceof Error ? Promise.reject(last) : Promise.resolve(last);
    },
  };
  return { published, writer: new KvWriter(api, { deadlineMs: 5_000 }) };
}

describe('a metadata write', () => {
  it('is published again, unchanged, until there is an answer', async () => {
    const { published, writer } = server([lost, lost, { kind: 'stored', revision: 6 }]);
    expect(await writer.write(write, never)).toBe(6);
    expect(published).toEqual([write, write, write]);
  });

  it('is done when the refused message is found stored under its own id', async () => {
    const { writer } = server([lost, refused], [stored('mine', 6, 5)]);
    expect(await writer.write(write, never)).toBe(6);
  });

  it('goes on while its own first try is under way', async () => {
    const { published, writer } = server(
      [underWay, underWay, { kind: 'stored', revision: 6 }],
      [stored('before', 5), stored('before', 5)],
    );
    expect(await writer.write(write, never)).toBe(6);
    expect(published).toHaveLength(3);
  });

  it('has not happened when the other message replaced what it expected', async () => {
    const other = stored('other', 6, 5);
    const { writer } = server([lost, refused], [other]);
    expect(await writer.write(write, never)).toEqual({ found: other });
  });

  it('has not happened when it was refused at its first try, whatever stands there', async () => {
    const other = stored('other', 9, 8);
    const { writer } = server([refused], [other]);
    expect(await writer.write(write, never)).toEqual({ found: other });
  });

  it.each([[8], [undefined]])(
    'is unknown when it may have landed before a message that replaced %s',
    async (replaced) => {
      const { writer } = server([underWay, refused], [stored('before', 5), stored('other', 9, replaced)]);
      await expect(writer.write(write, never)).rejects.toMatchObject({
        code: 'METADATA_UNREACHABLE',
        context: { outcome: 'unknown' },
      });
    },
  );

  it('looks again when the last message cannot be read', async () => {
    const { writer } = server([refused, refused], [new Error('no leader'), stored('other', 6, 5)]);
    expect(await writer.write(write, never)).toMatchObject({ found: { revision: 6 } });
  });

  it('says that nothing was written when the caller gave up before', async () => {
    const { published, writer } = server([]);
    await expect(writer.write(write, AbortSignal.abort())).rejects.toMatchObject({ context: { outcome: 'none' } });
    expect(published).toEqual([]);
  });

  it('fails at once when the server refuses it for good', async () => {
    const { writer } = server([{ kind: 'impossible', reason: 'message size exceeds maximum allowed (10054)' }]);
    await expect(writer.write(write, never)).rejects.toMatchObject({ code: 'METADATA_BROKEN' });
  });
});
