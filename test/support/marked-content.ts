const MARK = /^-- application_id (-?\d+)\n/;

/** The header of a database that is text: a line before all others, absent while it is 0. */
export function markOf(content: string): number {
  return Number(MARK.exec(content)?.[1] ?? 0);
}

export function withMark(content: string, mark: number): string {
  const rest = content.replace(MARK, '');
  return mark === 0 ? rest : `-- application_id ${String(mark)}\n${rest}`;
}
