export type ImportFormat = 'csv' | 'tsv' | 'ndjson' | 'json';
export type ColumnType = 'INTEGER' | 'REAL' | 'TEXT';

/** What decides which rows go where: a resumed import must have the same ones as the first run. */
export interface ImportPlan {
  readonly segmentBy: string;
  /** With `{column}` for the value of a column. */
  readonly segmentName: string;
  readonly table: string;
  /** A schema that is registered already; absent: one is made from the columns. */
  readonly schema?: string | undefined;
  readonly types: Readonly<Record<string, ColumnType>>;
  readonly format: ImportFormat;
  readonly delimiter: string;
}

/** How fast, and what is said: may differ from run to run. */
export interface ImportPace {
  readonly batchRows: number;
  readonly parallel: number;
  readonly promote: boolean;
  readonly rejectsPath: string;
}
