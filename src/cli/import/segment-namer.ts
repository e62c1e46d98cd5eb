import { TroughError } from '../../errors.ts';
import { isSegmentId, parseSegmentId } from '../../model/segment-id.ts';
import { type BoundValue } from './import-row.ts';
import { UsageError } from '../usage-error.ts';

type Named = { readonly segment: string } | { readonly bad: string };

/** Makes segment ids from a template: `flights-{origin}`. A row whose id would not be one is a bad row. */
export class SegmentNamer {
  /** Literal texts and column positions, in order. */
  readonly #parts: readonly (string | { readonly at: number; readonly name: string })[];

  /** UsageError for a column that is not there. */
  constructor(template: string, columns: readonly string[]) {
    this.#parts = template
      .split(/(\{[^{}]*\})/)
      .filter((part) => part !== '')
      .map((part) => {
        if (!/^\{.*\}$/.test(part)) return part;
        const name = part.slice(1, -1);
        const at = columns.indexOf(name);
        if (at === -1) throw new UsageError(`there is no column '${name}'; the columns are ${columns.join(', ')}`);
        return { at, name };
      });
  }

  name(values: readonly BoundValue[]): Named {
    let id = '';
    for (const part of this.#parts) {
      if (typeof part === 'string') {
        id += part;
        continue;
      }
      const value = values[part.at];
      if (value === null || value === undefined || value === '')
        return { bad: `${part.name} is empty, so there is no segment for this row` };
      id += String(value);
    }
    if (isSegmentId(id)) return { segment: id };
    try {
      return { segment: parseSegmentId(id) };
    } catch (error) {
      return { bad: TroughError.from(error).message };
    }
  }
}
