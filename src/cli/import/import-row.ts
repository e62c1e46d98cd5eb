/** A field as it was read: CSV knows only texts; JSON gives its own values, integers beyond 2^53 as bigint. */
export type RawRow =
  | { readonly kind: 'fields'; readonly fields: readonly string[] }
  | { readonly kind: 'object'; readonly object: Readonly<Record<string, unknown>> };

/** One row of the source, or what could not be read as one. */
export type SourceItem =
  | { readonly line: number; readonly row: RawRow }
  | { readonly line: number; readonly bad: string; readonly raw: string };

/** A value that can be bound. */
export type BoundValue = string | number | bigint | null;
