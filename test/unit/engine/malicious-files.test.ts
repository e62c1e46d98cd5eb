import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import {
  endlessTree,
  overflowPage,
  overwrite,
  PAGE_BYTES,
  PAGE_KINDS,
  type PageKind,
  pageOf,
  soundSegment,
} from '../../support/crafted-segments.ts';
import {
  BOXES,
  BY_INDEX,
  type Crafted,
  craftedFixture,
  type CraftedFixture,
  DAMAGED,
  damaged,
  EVERYTHING,
  LONG,
  outcome,
  ROWS,
  SOUND_ROWS,
  WORDS,
} from './crafted-fixture.ts';

let crafted: CraftedFixture;

beforeAll(async () => {
  crafted = await craftedFixture();
});

afterAll(async () => {
  await crafted[Symbol.asyncDispose]();
});

const holds = (one: Crafted): Promise<void> => crafted.holds(one);

/** A sound segment that something is done to. */
function after(change: (file: string) => void): (file: string) => void {
  return (file) => {
    soundSegment(file);
    change(file);
  };
}

test('the segment that the crafted ones are made from is sound', async () => {
  await holds({
    make: soundSegment,
    asked: [
      [ROWS, SOUND_ROWS],
      [BY_INDEX, '{"n":2000}'],
      [LONG, '{"b":40000}'],
      [WORDS, '{"n":2000}'],
      [BOXES, '{"n":1900}'],
    ],
    checked: 'ok',
  });
});

describe('a file that is no database, or only half of one, is damaged', () => {
  const header = (offset: number, ...bytes: number[]): ((file: string) => void) =>
    after((file) => {
      overwrite(file, 1, offset, bytes);
    });
  it.each<[string, (file: string) => void]>([
    [
      'text',
      (file) => {
        writeFileSync(file, 'not a database, '.repeat(500));
      },
    ],
    [
      'the first bytes of a header',
      (file) => {
        writeFileSync(file, 'SQLite format 3\0');
      },
    ],
    [
      'zeros',
      (file) => {
        writeFileSync(file, Buffer.alloc(8 * PAGE_BYTES));
      },
    ],
    [
      'half of the pages',
      after((file) => {
        truncateSync(file, 100 * PAGE_BYTES);
      }),
    ],
    [
      'a page and a bit',
      after((file) => {
        truncateSync(file, PAGE_BYTES + 77);
      }),
    ],
    [
      'the first page alone',
      after((file) => {
        truncateSync(file, PAGE_BYTES);
      }),
    ],
    ['four thousand million pages, as its header says', header(28, 255, 255, 255, 254)],
    ['pages of 512 bytes, as its header says', header(16, 2, 0)],
    ['pages of 64 KiB, as its header says', header(16, 0, 1)],
    ['pages of 3 bytes, as its header says', header(16, 0, 3)],
    ['pages of no bytes, as its header says', header(16, 0, 0)],
    ['255 bytes of each page reserved, as its header says', header(20, 255)],
    ['a file format of the future', header(18, 3, 3)],
    ['a schema format of the future', header(44, 0, 0, 0, 9)],
    ['UTF-16 in its header alone', header(56, 0, 0, 0, 2)],
  ])('%s', (_, make) => holds(damaged(make, ...EVERYTHING)));

  it('nothing at all is an empty database, as SQLite has it', () =>
    holds({
      make: (file) => {
        writeFileSync(file, '');
      },
      asked: [[ROWS, 'SQL_INVALID']],
      checked: 'ok',
    }));

  it('a header that says WAL, without a WAL, is read and leaves nothing beside it', () =>
    holds({ make: header(18, 2, 2), asked: [[ROWS, SOUND_ROWS]], checked: 'ok' }));
});

describe('broken pages are found when they are read', () => {
  const TREES: readonly [PageKind, string, string][] = [
    ['interiorTable', 't', ROWS],
    ['leafTable', 't', ROWS],
    ['interiorIndex', 'tb', BY_INDEX],
    ['leafIndex', 'tb', BY_INDEX],
  ];
  const FAULTS: readonly [string, number, readonly number[]][] = [
    ['of an unknown kind', 0, [7]],
    ['with 65,535 cells', 3, [255, 255]],
    ['whose content starts behind its end', 5, [255, 255]],
    ['with a free block that leads to itself', 1, [4, 0]],
    ['overwritten', 0, new Array<number>(PAGE_BYTES).fill(255)],
  ];
  const cases = TREES.flatMap(([kind, table, sql]) =>
    FAULTS.map(([fault, offset, bytes]) => ({ kind, table, sql, fault, offset, bytes })),
  );
  it.each(cases)('$kind $fault', async ({ kind, table, sql, offset, bytes }) => {
    const make = after((file) => {
      overwrite(file, pageOf(file, table, kind), offset, bytes);
    });
    // What is wrong with the free space of a page does not keep it from being read.
    const isRead = offset === 1 || offset === 5;
    if (!isRead) await holds(damaged(make, sql));
    else await holds({ make, asked: [], checked: DAMAGED });
  });

  it('pages that are their own children', () =>
    holds(
      damaged(
        after((file) => {
          const page = pageOf(file, 't', 'interiorTable');
          const content = readFileSync(file);
          const start = (page - 1) * PAGE_BYTES;
          for (let cell = 0; cell < content.readUInt16BE(start + 3); cell += 1)
            content.writeUInt32BE(page, start + content.readUInt16BE(start + 12 + cell * 2));
          writeFileSync(file, content);
        }),
        ROWS,
      ),
    ));

  it('a child behind the end of the file', () =>
    holds(
      damaged(
        after((file) => {
          overwrite(file, pageOf(file, 't', 'interiorTable'), 8, [0, 255, 255, 255]);
        }),
        ROWS,
      ),
    ));

  it('a text whose pages lead back to themselves ends where its length says, one whose pages end before is damaged', async () => {
    const leadsTo = (next: (page: number) => number): ((file: string) => void) =>
      after((file) => {
        const page = overflowPage(file);
        overwrite(file, page, 0, [0, 0, next(page) >> 8, next(page) & 255]);
      });
    await holds({ make: leadsTo((page) => page), asked: [[LONG, '{"b":40000}']], checked: DAMAGED });
    await holds(
      damaged(
        leadsTo(() => 0),
        'select hex(b) from long where a = 1',
      ),
    );
  });

  it('free pages that lead back to themselves hurt no reader, and are found by the check', () =>
    holds({
      make: after((file) => {
        const first = readFileSync(file).readUInt32BE(32);
        expect(first).toBeGreaterThan(0);
        overwrite(file, first, 0, [0, 0, first >> 8, first & 255]);
      }),
      asked: [[ROWS, SOUND_ROWS]],
      checked: DAMAGED,
    }));

  it('a tree of a few pages that has 100^14 leaves is stopped by the deadline, and found by the check', () =>
    holds({
      make: endlessTree,
      asked: [
        ['select count(*) from endless', 'ENGINE_DEADLINE'],
        ['select a from endless where a = 2', 'ENGINE_DEADLINE'],
      ],
      checked: DAMAGED,
    }));
});

test('a thousand flipped bytes are either not noticed or said to be damage, and never an inner error', async () => {
  const sound = crafted.at.fileOf('flipped');
  soundSegment(sound);
  const content = readFileSync(sound);
  let seed = 20_260_101;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  const codes = new Set<unknown>();
  for (let round = 0; round < 100; round += 1) {
    const flipped = Buffer.from(content);
    for (let flip = 0; flip < 10; flip += 1) {
      // Half of them in the head of a page, where it hurts.
      const page = random(content.length / PAGE_BYTES) * PAGE_BYTES;
      const offset = page + (flip % 2 === 0 ? random(24) : random(PAGE_BYTES));
      flipped.writeUInt8(random(256), Math.max(offset, 16));
    }
    const segment = `flipped-${String(round)}`;
    writeFileSync(crafted.at.fileOf(segment), flipped);
    const answers = EVERYTHING.map((sql) =>
      outcome(crafted.at.text({ segment, sql, deadlineMs: 20_000 }).then(() => 'ok')),
    );
    for (const answer of await Promise.all(answers)) codes.add(answer);
    codes.add(await outcome(crafted.at.engine.verify(crafted.at.fileOf(segment)).then(() => 'ok')));
  }
  for (const expected of ['ok', DAMAGED]) expect(codes).toContain(expected);
  // A name in the schema may have been hit: then there is no such table, and that is said.
  expect(
    Array.from(codes).filter((code) => !['ok', DAMAGED, 'SQL_INVALID', 'SQL_FAILED'].includes(String(code))),
  ).toEqual([]);
});

test('every kind of page is in the sound segment', () => {
  const file = crafted.at.fileOf('kinds');
  soundSegment(file);
  const content = readFileSync(file);
  const kinds = new Set(Array.from({ length: content.length / PAGE_BYTES }, (_, page) => content[page * PAGE_BYTES]));
  for (const kind of Object.values(PAGE_KINDS)) expect(kinds).toContain(kind);
});
