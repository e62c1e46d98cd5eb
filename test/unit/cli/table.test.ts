import { expect, test } from 'vitest';
import { formatTable } from '../../../src/cli/table.ts';

test('columns are aligned, numbers to the right, NULL and control characters made visible', () => {
  const rows = [
    ['Oslo', 12, null],
    ['Bø\n\u001b[31m', 9007199254740993n, 'x'],
  ];
  expect(formatTable(['name', 'n', 'note'], rows, { isTty: false }).split('\n')).toEqual([
    `name${' '.repeat(27)}n  note`,
    `Oslo${' '.repeat(26)}12  <null>`,
    'Bø\\n\\u001b[31m  9007199254740993  x',
    '',
  ]);
});

test('a terminal gets a rule below the header, and long cells cut', () => {
  const text = formatTable(['a'], [['x'.repeat(100)]], { isTty: true });
  expect(text.split('\n').slice(1)).toEqual(['─'.repeat(60), `${'x'.repeat(59)}…`, '']);
  expect(formatTable(['a'], [['x'.repeat(100)]], { isTty: false })).toContain('x'.repeat(100));
});
