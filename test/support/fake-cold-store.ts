import { createHash } from 'node:crypto';
import { type ColdFile, type ColdStore, type Fetched, type ListEvent } from '../../src/cold/cold-store.ts';
import { TroughError } from '../../src/errors.ts';
import { parseSegmentId, type SegmentId } from '../../src/model/segment-id.ts';
import { type FakeDisk } from './fake-disk.ts';
import { FakeGate } from './fake-gate.ts';

interface Stored {
  readonly content: string;
  readonly modifiedMs: number;
}

export function sha256Of(content: string): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Cold storage in memory, beside a disk in memory. Checksums are of what it holds; `now` says when something was put there. */
export class FakeColdStore implements ColdStore {
  readonly description = 'cold storage in memory';
  readonly gate = new FakeGate();
  /** Ids in the order in which they were fetched. */
  readonly fetches: string[] = [];
  readonly #disk: FakeDisk;
  readonly #now: () => number;
  readonly #files = new Map<string, Stored>();
  readonly #uploads = new Map<object, string>();
  #listed = new Map<string, Stored>();
  #cursor = 0;

  constructor(disk: FakeDisk, now: () => number) {
    this.#disk = disk;
    this.#now = now;
  }

  /** As somebody else would put a file there. */
  put(id: string, content: string, modifiedMs = this.#now()): Stored {
    const stored = { content, modifiedMs };
    this.#files.set(id, stored);
    return stored;
  }

  /** As somebody else would take it away. */
  lose(id: string): void {
    this.#files.delete(id);
  }

  content(id: string): string | undefined {
    return this.#files.get(id)?.content;
  }

  probe(): Promise<void> {
    return this.gate.pass('probe');
  }

  async *list(cursor: string | undefined, signal?: AbortSignal): AsyncIterable<ListEvent> {
    await this.gate.pass('list', signal);
    const complete = cursor === undefined || cursor !== String(this.#cursor);
    const before = complete ? new Map<string, Stored>() : this.#listed;
    this.#listed = new Map(this.#files);
    for (const [id, stored] of this.#listed) {
      if (before.get(id) !== stored) yield { kind: 'file', file: asFile(parseSegmentId(id), stored) };
    }
    for (const id of before.keys()) {
      if (!this.#listed.has(id)) yield { kind: 'gone', id: parseSegmentId(id), path: pathOf(id) };
    }
    this.#cursor += 1;
    const done = { kind: 'done', cursor: String(this.#cursor), files: this.#listed.size } as const;
    yield complete ? { ...done, complete } : done;
  }

  async stat(id: SegmentId, signal?: AbortSignal): Promise<ColdFile | undefined> {
    await this.gate.pass('stat', signal);
    const stored = this.#files.get(id);
    return stored === undefined ? undefined : asFile(id, stored);
  }

  async fetch(
    id: SegmentId,
    to: string,
    expected: { readonly sha256?: string | undefined },
    signal?: AbortSignal,
  ): Promise<Fetched> {
    this.fetches.push(id);
    await this.gate.pass('fetch', signal);
    signal?.throwIfAborted();
    const { content, modifiedMs } = this.#must(id);
    if (this.#disk.files.has(to)) throw new TroughError('COLD_FAILED', `${to} is there already`);
    const sha256 = sha256Of(content);
    if (expected.sha256 !== undefined && expected.sha256 !== sha256) {
      throw new TroughError('COLD_COPY_TORN', `${id} does not hold what it should`);
    }
    this.#disk.files.set(to, content);
    return { sizeBytes: content.length, sha256, modifiedMs };
  }

  async publish(
    id: SegmentId,
    from: string,
    sha256: string,
    signal?: AbortSignal,
    beforeReplacing?: () => Promise<void>,
  ): Promise<ColdFile> {
    await this.gate.pass('publish', signal);
    const content = this.#disk.files.get(from);
    if (content === undefined || sha256Of(content) !== sha256) {
      throw new TroughError('COLD_COPY_TORN', `${from} does not hold what it should`);
    }
    const upload = {};
    this.#uploads.set(upload, id);
    await beforeReplacing?.();
    await this.gate.pass('rename', signal);
    if (!this.#uploads.delete(upload)) throw new TroughError('COLD_FAILED', `the upload of ${id} is gone`);
    return asFile(id, this.put(id, content));
  }

  async discardUploads(id: SegmentId, signal?: AbortSignal): Promise<void> {
    await this.gate.pass('discard', signal);
    for (const [upload, of] of this.#uploads) if (of === id) this.#uploads.delete(upload);
  }

  async remove(id: SegmentId, signal?: AbortSignal): Promise<boolean> {
    await this.gate.pass('remove', signal);
    return this.#files.delete(id);
  }

  async checksum(id: SegmentId, signal?: AbortSignal): Promise<string> {
    await this.gate.pass('checksum', signal);
    return sha256Of(this.#must(id).content);
  }

  #must(id: string): Stored {
    const stored = this.#files.get(id);
    if (stored === undefined) throw new TroughError('COLD_MISSING', `${id} is not in cold storage`, { segment: id });
    return stored;
  }
}

function asFile(id: SegmentId, { content, modifiedMs }: Stored): ColdFile {
  return { id, path: pathOf(id), sizeBytes: content.length, modifiedMs };
}

function pathOf(id: string): string {
  return `/cold/${id}.sqlite`;
}
