import { type SegmentId } from '../../model/segment-id.ts';

export interface HeldCopy {
  readonly version: number;
  readonly sizeBytes: number;
}

const CHUNK_BITS = 14;
const CHUNK = 1 << CHUNK_BITS;
const TEXT_BITS = 18;
/** A multiple of the longest id many times over: what is left at its end is little. */
const TEXT_CHUNK = 1 << TEXT_BITS;
const LONGEST = 255;
const FIRST_SLOTS = 1_024;
const MOST_LOAD = 0.7;

/** Up to CHUNK copies side by side. */
interface Chunk {
  readonly versions: Float64Array;
  readonly sizes: Float64Array;
  readonly hashes: Uint32Array;
  /** Where the id is: its length in one byte, then its bytes. Of a free entry: the next free one, plus one. */
  readonly places: Uint32Array;
}

/**
 * Copies by id, for a node that holds millions: some fifty bytes each, beside a few hundred of a Map of objects, and nothing that the garbage collector
 * has to walk. A hash table with linear probing and backward-shift deletion (Knuth 6.4, algorithm R) over entries in chunks, which never move.
 */
export class CopyTable {
  readonly #chunks: Chunk[] = [];
  readonly #scratch = Buffer.alloc(LONGEST + 1);
  #texts: Buffer[] = [];
  #textEnd = 0;
  #textWasted = 0;
  /** Entry plus one; 0: empty. */
  #slots = new Uint32Array(FIRST_SLOTS);
  #used = 0;
  #free = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: SegmentId): HeldCopy | undefined {
    const at = this.#find(this.#hash(id));
    const entry = (this.#slots[at] ?? 0) - 1;
    if (entry < 0) return undefined;
    const { versions, sizes } = this.#chunk(entry);
    const index = entry & (CHUNK - 1);
    return { version: versions[index] ?? 0, sizeBytes: sizes[index] ?? 0 };
  }

  set(id: SegmentId, { version, sizeBytes }: HeldCopy): void {
    const hash = this.#hash(id);
    const at = this.#find(hash);
    let entry = (this.#slots[at] ?? 0) - 1;
    if (entry < 0) {
      entry = this.#takeEntry();
      const chunk = this.#chunk(entry);
      chunk.hashes[entry & (CHUNK - 1)] = hash;
      chunk.places[entry & (CHUNK - 1)] = this.#keepText(this.#scratch);
      this.#slots[at] = entry + 1;
      this.#size += 1;
    }
    const { versions, sizes } = this.#chunk(entry);
    versions[entry & (CHUNK - 1)] = version;
    sizes[entry & (CHUNK - 1)] = sizeBytes;
    if (this.#size > this.#slots.length * MOST_LOAD) this.#grow();
  }

  delete(id: SegmentId): void {
    const at = this.#find(this.#hash(id));
    const entry = (this.#slots[at] ?? 0) - 1;
    if (entry < 0) return;
    this.#closeGap(at);
    const { places } = this.#chunk(entry);
    this.#textWasted += (this.#scratch[0] ?? 0) + 1;
    places[entry & (CHUNK - 1)] = this.#free;
    this.#free = entry + 1;
    this.#size -= 1;
    if (this.#textWasted > TEXT_CHUNK && this.#textWasted > this.#textEnd / 2) this.#packTexts();
  }

  /** In no order. What is added or removed meanwhile may be left out, or be among them. */
  *ids(): Generator<SegmentId> {
    for (let at = 0; at < this.#slots.length; at += 1) {
      const entry = (this.#slots[at] ?? 0) - 1;
      if (entry < 0) continue;
      const place = this.#placeOf(entry);
      const text = this.#text(place);
      const start = (place & (TEXT_CHUNK - 1)) + 1;
      yield text.toString('utf8', start, start + (text[start - 1] ?? 0)) as SegmentId;
    }
  }

  /** Leaves the id in the scratch, as it is kept. FNV-1a, with the mixing of MurmurHash3 at its end. */
  #hash(id: string): number {
    const scratch = this.#scratch;
    let length = id.length;
    let hash = 0x811c9dc5;
    for (let index = 0; index < length; index += 1) {
      const code = id.charCodeAt(index);
      if (code >= 0x80) {
        length = scratch.write(id, 1, 'utf8');
        hash = hashOf(scratch, length);
        break;
      }
      scratch[index + 1] = code;
      hash = Math.imul(hash ^ code, 0x01000193);
    }
    scratch[0] = length;
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) >>> 0;
  }

  /** The slot of the id that lies in the scratch, or the empty one where it would be. */
  #find(hash: number): number {
    const mask = this.#slots.length - 1;
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const entry = (this.#slots[at] ?? 0) - 1;
      if (entry < 0 || (this.#hashOf(entry) === hash && this.#isSame(entry))) return at;
    }
  }

  #isSame(entry: number): boolean {
    const place = this.#placeOf(entry);
    const text = this.#text(place);
    const start = place & (TEXT_CHUNK - 1);
    const length = this.#scratch[0] ?? 0;
    for (let index = 0; index <= length; index += 1) if (text[start + index] !== this.#scratch[index]) return false;
    return true;
  }

  #chunk(entry: number): Chunk {
    return this.#chunks[entry >>> CHUNK_BITS] ?? NO_CHUNK;
  }

  #hashOf(entry: number): number {
    return this.#chunk(entry).hashes[entry & (CHUNK - 1)] ?? 0;
  }

  #placeOf(entry: number): number {
    return this.#chunk(entry).places[entry & (CHUNK - 1)] ?? 0;
  }

  #text(place: number): Buffer {
    return this.#texts[place >>> TEXT_BITS] ?? NO_TEXT;
  }

  #takeEntry(): number {
    if (this.#free > 0) {
      const entry = this.#free - 1;
      this.#free = this.#placeOf(entry);
      return entry;
    }
    if (this.#used === this.#chunks.length * CHUNK) this.#chunks.push(newChunk());
    this.#used += 1;
    return this.#used - 1;
  }

  /** `from` begins with the length. */
  #keepText(from: Buffer): number {
    const bytes = (from[0] ?? 0) + 1;
    const room = TEXT_CHUNK - (this.#textEnd & (TEXT_CHUNK - 1));
    if (room < bytes) this.#textEnd += room;
    const place = this.#textEnd;
    if (place >>> TEXT_BITS === this.#texts.length) this.#texts.push(Buffer.alloc(TEXT_CHUNK));
    from.copy(this.#text(place), place & (TEXT_CHUNK - 1), 0, bytes);
    this.#textEnd += bytes;
    return place;
  }

  #packTexts(): void {
    const before = this.#texts;
    this.#texts = [];
    this.#textEnd = 0;
    this.#textWasted = 0;
    for (const slot of this.#slots) {
      if (slot === 0) continue;
      const place = this.#placeOf(slot - 1);
      const text = before[place >>> TEXT_BITS] ?? NO_TEXT;
      const start = place & (TEXT_CHUNK - 1);
      this.#chunk(slot - 1).places[(slot - 1) & (CHUNK - 1)] = this.#keepText(
        text.subarray(start, start + LONGEST + 1),
      );
    }
  }

  #grow(): void {
    const before = this.#slots;
    this.#slots = new Uint32Array(before.length * 2);
    const mask = this.#slots.length - 1;
    for (const slot of before) {
      if (slot === 0) continue;
      let at = this.#hashOf(slot - 1) & mask;
      while (this.#slots[at] !== 0) at = (at + 1) & mask;
      this.#slots[at] = slot;
    }
  }

  /** Moves up what would not be found any more behind an empty slot. */
  #closeGap(gap: number): void {
    const mask = this.#slots.length - 1;
    let hole = gap;
    for (let at = (gap + 1) & mask; this.#slots[at] !== 0; at = (at + 1) & mask) {
      const slot = this.#slots[at] ?? 0;
      const home = this.#hashOf(slot - 1) & mask;
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      this.#slots[hole] = slot;
      hole = at;
    }
    this.#slots[hole] = 0;
  }
}

const NO_TEXT = Buffer.alloc(0);
const NO_CHUNK: Chunk = {
  versions: new Float64Array(),
  sizes: new Float64Array(),
  hashes: new Uint32Array(),
  places: new Uint32Array(),
};

function newChunk(): Chunk {
  return {
    versions: new Float64Array(CHUNK),
    sizes: new Float64Array(CHUNK),
    hashes: new Uint32Array(CHUNK),
    places: new Uint32Array(CHUNK),
  };
}

function hashOf(bytes: Buffer, length: number): number {
  let hash = 0x811c9dc5;
  for (let index = 1; index <= length; index += 1) hash = Math.imul(hash ^ (bytes[index] ?? 0), 0x01000193);
  return hash;
}
