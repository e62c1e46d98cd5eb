/** PRAGMAs that only tell something about the segment, and nothing about the machine. `argument`: they name a table or an index. */
export const READABLE: Readonly<Record<string, 'argument' | 'plain'>> = {
  application_id: 'plain',
  collation_list: 'plain',
  compile_options: 'plain',
  encoding: 'plain',
  foreign_key_list: 'argument',
  freelist_count: 'plain',
  function_list: 'plain',
  index_info: 'argument',
  index_list: 'argument',
  index_xinfo: 'argument',
  page_count: 'plain',
  page_size: 'plain',
  schema_version: 'plain',
  table_info: 'argument',
  table_list: 'argument',
  table_xinfo: 'argument',
  user_version: 'plain',
};

/** Every other PRAGMA that SQLite 3.54 knows; a test compares it with `pragma_list`. */
export const UNREADABLE: ReadonlySet<string> = new Set(
  (
    'analysis_limit auto_vacuum automatic_index busy_timeout cache_size cache_spill case_sensitive_like cell_size_check ' +
    'checkpoint_fullfsync count_changes data_version database_list defer_foreign_keys empty_result_callbacks foreign_key_check ' +
    'foreign_keys full_column_names fullfsync hard_heap_limit ignore_check_constraints incremental_vacuum integrity_check ' +
    'journal_mode journal_size_limit legacy_alter_table locking_mode max_page_count mmap_size module_list optimize pragma_list ' +
    'query_only quick_check read_uncommitted recursive_triggers reverse_unordered_selects secure_delete short_column_names ' +
    'shrink_memory soft_heap_limit synchronous temp_store temp_store_directory threads trusted_schema wal_autocheckpoint ' +
    'wal_checkpoint writable_schema'
  ).split(' '),
);

export function isKnownPragma(name: string): boolean {
  return Object.hasOwn(READABLE, name) || UNREADABLE.has(name);
}
