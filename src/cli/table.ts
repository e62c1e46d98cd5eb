export interface TableStyle {
  /** A terminal: a rule below the header, and long cells are cut. */
  readonly isTty: boolean;
}

const WIDEST_CELL = 60;
const GAP = '  ';
/** Control characters would move a terminal's cursor, or break a line of the table. */
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

/** Rows as aligned text, one line each. Numbers stand right; NULL is `<null>`. */
export function formatTable(
  columns: readonly string[],
  rows: readonly (readonly unknown[])[],
  style: TableStyle,
): string {
  if (columns.length === 0) return '';
  const cells = rows.map((row) => row.map((value) => cut(cellText(value), style)));
  const isNumeric = columns.map(
    (_, at) => rows.some((row) => row[at] !== null) && rows.every((row) => isNumber(row[at])),
  );
  const heads = columns.map((name) => cut(printable(name), style));
  const widths = heads.map((head, at) =>
    cells.reduce((widest, row) => Math.max(widest, width(row[at] ?? '')), width(head)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, at) => {
        const space = ' '.repeat(Math.max(0, (widths[at] ?? 0) - width(cell)));
        return isNumeric[at] === true ? space + cell : cell + space;
      })
      .join(GAP)
      .trimEnd();
  const rule = style.isTty ? [widths.map((size) => '─'.repeat(size)).join(GAP)] : [];
  return `${[line(heads), ...rule, ...cells.map(line)].join('\n')}\n`;
}

function cellText(value: unknown): string {
  if (value === null || value === undefined) return '<null>';
  if (typeof value === 'string') return printable(value);
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  return printable(JSON.stringify(value));
}

/** As one line that moves no cursor. */
export function printable(text: string): string {
  return text.replace(CONTROL, (char) => JSON.stringify(char).slice(1, -1));
}

function isNumber(value: unknown): boolean {
  return value === null || value === undefined || typeof value === 'number' || typeof value === 'bigint';
}

function cut(text: string, { isTty }: TableStyle): string {
  return isTty && width(text) > WIDEST_CELL
    ? `${Array.from(text)
        .slice(0, WIDEST_CELL - 1)
        .join('')}…`
    : text;
}

function width(text: string): number {
  return Array.from(text).length;
}
