import fc from 'fast-check';
import { expect, test } from 'vitest';
import { JsonElements } from '../../../../src/cli/import/json-elements.ts';

function cut(text: string, pieces: readonly number[]): string[] {
  const elements = new JsonElements(1_000_000);
  const found: string[] = [];
  let at = 0;
  for (const length of [...pieces, text.length]) {
    found.push(...Array.from(elements.feed(text.slice(at, at + length)), (element) => element.text));
    at += length;
  }
  elements.end();
  return found;
}

test('whatever the elements are, and wherever the text is cut, each one comes out whole', () => {
  const spacing = fc.constantFrom<string | number | undefined>(undefined, 2, '\t');
  fc.assert(
    fc.property(
      fc.array(fc.jsonValue()),
      spacing,
      fc.array(fc.integer({ min: 0, max: 20 })),
      (values, space, pieces) => {
        const text = ` ${JSON.stringify(values, undefined, space)}\n`;
        expect(cut(text, pieces).map((element) => JSON.parse(element) as unknown)).toEqual(
          JSON.parse(JSON.stringify(values)),
        );
      },
    ),
    { numRuns: 200 },
  );
});

test('the line of each element is known', () => {
  const elements = new JsonElements(100);
  expect(Array.from(elements.feed('[\n1,\n\n{\n"a":1},3]'), ({ line }) => line)).toEqual([2, 4, 5]);
});

test.each(['', '{}', '[1', '[1,', '[1,]', '[,1]', '[] []', '[1]x', '["a'])('%j is not an array', (text) => {
  expect(() => cut(text, [])).toThrow(/not a JSON array/);
});

test('an element that does not end is refused before it fills the memory', () => {
  const elements = new JsonElements(100);
  expect(() => Array.from(elements.feed(`["${'x'.repeat(200)}`))).toThrow(/longer than 100 characters/);
});
