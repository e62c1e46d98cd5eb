/** What an attacker sends as a query, and what must come back. */
export interface Attack {
  readonly sql: string;
  /** A name for what is too long to be one. */
  readonly title?: string;
  /** Sent along where a face takes them; the attack is then not tried on the face that takes none. */
  readonly params?: readonly unknown[];
  readonly code: string;
  /** Must stand in the answer: SQLite's own words, or ours. */
  readonly words: string;
}

const ONE_SELECT = 'Exactly one SELECT query per request, please.';

/** Not a statement that reads, whatever else it is. */
function noSelect(...texts: readonly string[]): Attack[] {
  return texts.map((sql) => ({ sql, code: 'SQL_NOT_A_SELECT', words: ONE_SELECT }));
}

function refused(words: string, ...texts: readonly string[]): Attack[] {
  return texts.map((sql) => ({ sql, code: 'SQL_REFUSED', words }));
}

function invalid(words: string, ...texts: readonly string[]): Attack[] {
  return texts.map((sql) => ({ sql, code: 'SQL_INVALID', words }));
}

function failed(words: string, ...texts: readonly string[]): Attack[] {
  return texts.map((sql) => ({ sql, code: 'SQL_FAILED', words }));
}

function named(title: string, [attack]: readonly Attack[]): Attack {
  if (attack === undefined) throw new Error(`no attack for ${title}`);
  return { ...attack, title };
}

function withParams(params: readonly unknown[], attacks: readonly Attack[]): Attack[] {
  return attacks.map((attack) => ({ ...attack, params }));
}

function pragmaFunction(name: string): Attack[] {
  return refused(`not authorized to use function: pragma_${name}`, `select * from pragma_${name}`);
}

/** `other` is a database beside the data directory, `secret` a text file. */
export function otherFiles(other: string, secret: string): Attack[] {
  return [
    ...noSelect(
      `attach '${other}' as o`,
      `/* c */ -- d\n attach '${other}' as o`,
      `AtTaCh\v'${other}'\fas o`,
      `attach "${other}" as o`,
      `attach 'file:${other}?mode=rwc' as o`,
      `attach 'file:${other}.new?mode=rwc' as o`,
      `attach ':memory:' as m`,
      `attach '' as m`,
      `explain attach '${other}' as o`,
      `explain query plan attach '${other}' as o`,
      'detach main',
      'detach database temp',
      `vacuum into '${other}.copy'`,
      `vacuum main into '${other}.copy'`,
    ),
    ...withParams([other], noSelect('attach ? as o', 'vacuum into ?')),
    ...invalid('syntax error', `with a as (select 1) attach '${other}' as o`),
    ...refused(
      'not authorized',
      `select load_extension('${other}')`,
      `select load_extension('${other}', 'entry')`,
      `select "load_extension"(x) from (select '${other}' as x)`,
      `with a(x) as materialized (select load_extension('${other}')) select * from a`,
    ),
    ...invalid(
      'no such function',
      `select readfile('${secret}')`,
      `select writefile('${secret}', 'x')`,
      `select edit('${secret}', 'vi')`,
      `select eval('select 1')`,
      'select lsmode(1)',
    ),
    ...invalid(
      'no such table',
      `select * from zipfile('${secret}')`,
      `select * from csv('${secret}')`,
      `select * from vsv('${secret}')`,
      `select * from fsdir('/')`,
      `select * from "${other}".sqlite_master`,
      `select * from "${secret}"`,
      'select * from sqlite_dbpage',
      "select * from sqlite_dbpage('main')",
      'select * from sqlite_stmt',
      "select * from bytecode('select 1')",
      "select * from tables_used('select 1')",
      'select * from other.t',
    ),
  ];
}

/** Addresses in memory are reached by bound arguments alone. */
export const MEMORY: readonly Attack[] = [
  ...refused('not authorized to use function: fts3_tokenizer', "select fts3_tokenizer('simple')"),
  ...withParams(
    ['simple'],
    refused(
      'not authorized to use function: fts3_tokenizer',
      'select hex(fts3_tokenizer(?))',
      'select hex("FTS3_Tokenizer"(?))',
      'explain select fts3_tokenizer(?)',
    ),
  ),
  ...withParams(
    [{ base64: 'QUFBQUFBQUE=' }],
    refused(
      'not authorized to use function: fts3_tokenizer',
      "select fts3_tokenizer('simple', ?)",
      "select /* c */ [fts3_tokenizer]\n('simple', ?)",
    ),
  ),
];

export const TRANSACTIONS: readonly Attack[] = [
  ...noSelect('begin', 'begin immediate', 'begin exclusive transaction', 'commit', 'end', 'rollback'),
  ...noSelect('savepoint a', 'release a', 'rollback to a', 'explain begin', 'explain commit', '/**/begin/**/;'),
];

export const PRAGMAS: readonly Attack[] = [
  ...noSelect('pragma', 'pragma user_version = 9', 'pragma main.user_version=9', 'pragma user_version(9)'),
  ...noSelect('pragma writable_schema = 1', 'pragma writable_schema(on)', 'pragma "writable_schema" = on'),
  ...noSelect('pragma[writable_schema]=1', "pragma 'writable_schema' = 1", 'pragma main . `writable_schema` = 1'),
  ...noSelect('pragma/**/writable_schema/**/=/**/1', 'pragma--c\nwritable_schema=1', 'PrAgMa\f\vwritable_schema\r=1'),
  ...noSelect('\ufeffpragma writable_schema=1', ' \ufeff \ufeffpragma\ufeffquery_only=0', ';;pragma query_only=0'),
  ...noSelect('pragma\u00a0query_only=0', 'p\u200bragma query_only=0', 'explain pragma query_only=0'),
  ...noSelect('explain query plan pragma query_only=0', 'explain/**/pragma writable_schema=1'),
  ...noSelect('pragma query_only = off', 'pragma trusted_schema = on', 'pragma cell_size_check = off'),
  ...noSelect('pragma mmap_size = 1000000', 'pragma cache_size = -10000000', 'pragma hard_heap_limit = 1'),
  ...noSelect('pragma soft_heap_limit = 1', 'pragma threads = 8', 'pragma temp_store = 2', 'pragma busy_timeout = 1'),
  ...noSelect("pragma temp_store_directory = '/tmp'", 'pragma journal_mode', 'pragma journal_mode = delete'),
  ...noSelect('pragma locking_mode = exclusive', 'pragma synchronous = off', 'pragma wal_checkpoint(truncate)'),
  ...noSelect('pragma optimize', 'pragma incremental_vacuum', 'pragma integrity_check', 'pragma quick_check'),
  ...noSelect('pragma database_list', 'pragma module_list', 'pragma pragma_list', 'pragma data_version'),
  ...noSelect('pragma application_id = 1', 'pragma encoding = "UTF-16"', 'pragma page_size = 512', 'pragma nonsense'),
  ...noSelect('pragma foreign_key_check', 'pragma shrink_memory', 'pragma case_sensitive_like = on'),
  ...['database_list', 'module_list', 'journal_mode', 'temp_store_directory', 'wal_checkpoint'].flatMap(pragmaFunction),
  ...['integrity_check', 'quick_check', 'query_only', 'pragma_list', 'optimize', 'cache_size'].flatMap(pragmaFunction),
  ...refused(
    'not authorized to use function: pragma_database_list',
    'select * from "pragma_database_list"',
    "select * from 'PRAGMA_database_list'",
    'select * from [pragma_database_list]()',
    'select * from main . /* c */ `pragma_database_list`',
    'select 1 where 1 in pragma_database_list',
    'with a as (select * from pragma_database_list) select * from a',
    'select (select file from pragma_database_list limit 1)',
    'explain select * from pragma_database_list',
  ),
  ...invalid('no such table', 'select * from pragma_nonsense', 'select * from pragma_key'),
];

export const SEVERAL_STATEMENTS: readonly Attack[] = [
  ...noSelect(
    'select 1; select 2',
    '(select 1); select 2',
    'select 1;;select 2',
    'select 1; delete from t',
    'select 1;\n-- c\n;delete from t',
  ),
  ...noSelect('select 1; junk', 'select 1;\u00a0', "select 1; '", 'select 1; /* c */ pragma writable_schema = 1'),
  ...noSelect("select ';'; delete from t", 'select "a"";"; delete from t', 'select [;]; delete from t'),
  ...noSelect('select 1 -- ;\n; delete from t', 'select 1 /* ; */; delete from t', 'select :a; delete from t'),
  ...noSelect('', ' \n', ';', ';;;', '-- select 1', '/* select 1', '/* select 1 */', '\ufeff'),
  ...noSelect('.read x', '.import x y', '.shell id', 'shutdown', "copy t to 'x'", 'do $$ begin end $$', 'call x()'),
  ...invalid('null character', 'select 1\0', 'select 1;\0delete from t', '\0select 1', "select 'a\0b'", 'sel\0ect 1'),
  ...invalid('unrecognized token', "select 'abc", 'select "abc', 'select [abc', 'select `abc', "select x'abc"),
  ...invalid(
    'unrecognized token',
    "select x'0g'",
    "select x'0'",
    "select 'a''; delete from t",
    'select 1e',
    'select \\',
  ),
  ...invalid('incomplete input', 'select', 'select (', 'select /* abc', 'with', 'with a as (select 1)', 'values'),
  ...invalid('syntax error', 'select 1 junk junk', 'select * from t for update', "select * into outfile 'x' from t"),
  ...invalid(
    'syntax error',
    '(((',
    '(select 1) (select 2)',
    '(select 1) delete from t',
    'select 1 union delete from t',
    'with a as (begin) select 1',
  ),
];

export const WRITING: readonly Attack[] = [
  ...noSelect('insert into t values (2)', 'replace into t values (2)', 'insert or replace into t values (2)'),
  ...noSelect('insert into t values (1) on conflict do nothing', 'insert into t default values'),
  ...noSelect(
    'update t set a = 2',
    'delete from t',
    'insert into t values (2) returning a',
    'delete from t returning *',
  ),
  ...noSelect('update t set a = 2 returning a', 'with q as (select 2) insert into t select * from q'),
  ...noSelect('with q as (select 2) replace into t select * from q', 'with q as (select 2) update t set a = 2'),
  ...noSelect('with recursive q as (select 2) delete from t returning *', 'explain insert into t values (2)'),
  ...noSelect('explain query plan delete from t', 'explain with q as (select 2) insert into t select * from q'),
  ...noSelect('explain query plan with q as (select 2) update t set a = 2', '/* select */ delete from t'),
  ...withParams([2], noSelect('insert into t values (?)', 'with q as (select ?) insert into t select * from q')),
  ...invalid('syntax error', 'with q as (insert into t values (2) returning a) select * from q'),
  ...invalid('syntax error', 'select * from (delete from t returning a)', 'select (update t set a = 2 returning a)'),
  ...noSelect('create table x (a)', 'create table x as select 1', 'create temp table x (a)', 'create table temp.x (a)'),
  ...noSelect('create view x as select 1', 'create temp view x as select 1', 'create index x on t (a)'),
  ...noSelect('create trigger x after insert on t begin select 1; end', 'create unique index if not exists x on t (a)'),
  ...noSelect(
    'create temp trigger x after insert on t begin delete from t; end',
    'drop table t',
    'drop view if exists x',
  ),
  ...noSelect('create virtual table x using fts5(a)', 'create virtual table temp.x using fts4(a)'),
  ...noSelect('create virtual table x using dbstat', 'explain create table x (a)', 'drop index nothing'),
  ...noSelect(
    'alter table t add column z',
    'alter table t rename to u',
    'reindex',
    'reindex t',
    'analyze',
    'analyze t',
  ),
  ...noSelect('vacuum', 'vacuum main', 'explain vacuum', 'update sqlite_schema set sql = null'),
  ...noSelect("insert into sqlite_master values ('table', 'x', 'x', 2, '')", 'delete from sqlite_temp_schema'),
  ...noSelect(
    "insert into sqlite_sequence values ('t', 1)",
    'delete from sqlite_stat1',
    'update sqlite_stat4 set nlt = 1',
  ),
  ...noSelect("update ft_data set block = x''", "insert into ft_config values ('pgsz', 1)", 'delete from ft_docsize'),
  ...noSelect("insert into ft (ft) values ('delete-all')", "insert into ft (ft) values ('rebuild')"),
  ...noSelect("insert into ft (ft) values ('integrity-check')", "insert into ft (ft, rank) values ('pgsz', 64)"),
  ...noSelect("insert into ft (ft, rank) values ('rank', 'bm25(1)')", 'update rt_node set data = null'),
  ...refused('readonly', 'select optimize(ft4) from ft4'),
  ...invalid('no such function', "select sqlite_rename_table('main', 'x', 'y', 't', 'u', 0, 0)", 'select fts5_expr(1)'),
  ...invalid('no such function', "select sqlite_drop_column(0, 'x', 0)", 'select sqlite_add_constraint(1, 2, 3)'),
];

/** Statements that are read before anything is: SQLite's limits on their size. Each within the largest body. */
export const LONG_STATEMENTS: readonly Attack[] = [
  named('200,000 brackets', invalid('Recursion limit', `select ${'('.repeat(200_000)}1${')'.repeat(200_000)}`)),
  named('200,000 opening brackets', invalid('Recursion limit', `select ${'('.repeat(200_000)}`)),
  named('100,000 signs', invalid('Recursion limit', `select ${'-+'.repeat(50_000)}1`)),
  named('50,000 times not', invalid('Recursion limit', `select ${'not '.repeat(50_000)}1`)),
  named('a sum of 100,000', invalid('maximum depth 1000', `select 1${'+1'.repeat(100_000)}`)),
  named('2,000 nested selects', invalid('Recursion limit', `select ${'(select '.repeat(2_000)}1${')'.repeat(2_000)}`)),
  named('2,000 nested calls', invalid('Recursion limit', `select ${'abs('.repeat(2_000)}1${')'.repeat(2_000)}`)),
  named('2,000 nested cases', invalid('Recursion limit', `select ${'case when 1 then '.repeat(2_000)}1`)),
  named('5,000 compound selects', invalid('too many terms', `select 1${' union all select 1'.repeat(5_000)}`)),
  named('100,000 columns', invalid('too many columns', `select ${'1,'.repeat(100_000)}1`)),
  named('100,000 arguments', invalid('too many arguments', `select max(${'1,'.repeat(100_000)}1)`)),
  named('65 tables', invalid('at most 64 tables', `select 1 from t${', t'.repeat(64)}`)),
  named('a word of 900,000 letters', noSelect('x'.repeat(900_000))),
  named('a text of 900,000 letters that does not end', invalid('unrecognized token', `select '${'x'.repeat(900_000)}`)),
  named('900,000 semicolons', noSelect(';'.repeat(900_000))),
  ...invalid('variable number must be between', 'select ?99999999999999999999', 'select ?40000', 'select ?0'),
  ...invalid('Incorrect number of bindings', 'select :a, @a, $a, #a', 'select ?, ?32766'),
];

function tooLarge(...texts: readonly string[]): Attack[] {
  return texts.map((sql) => ({ sql, code: 'SQL_TOO_LARGE', words: 'larger than' }));
}

/** Read without trouble, and refused while they run. */
export const LARGE_VALUES: readonly Attack[] = [
  ...tooLarge('select length(zeroblob(2000000000))', 'select length(randomblob(1e9))'),
  ...tooLarge("select length(printf('%2147483647d', 1))"),
  ...tooLarge('select hex(zeroblob(600000000))', 'select length(zeroblob(1e9) || zeroblob(1e9))'),
  named('a LIKE pattern of 60,000', failed('too complex', `select 'x' like '${'%x'.repeat(30_000)}'`)),
  named('a GLOB pattern of 60,000', failed('too complex', `select 'x' glob '${'['.repeat(60_000)}'`)),
  named('JSON 5,000 deep', failed('malformed JSON', `select json('${'['.repeat(5_000)}${']'.repeat(5_000)}')`)),
  ...failed('user-defined function raised exception', "select 'a' regexp '('", "select 'a' regexp 'a++'"),
  named(
    'a REGEXP of 50,000 brackets',
    failed('user-defined function raised exception', `select 'a' regexp '${'('.repeat(50_000)}${')'.repeat(50_000)}'`),
  ),
  named(
    'a list 100,000 deep',
    failed('user-defined function', `select buildredirectarray('u', 200, 'R', '${'['.repeat(100_000)}')`),
  ),
];

const FOREVER = 'with recursive c(x) as (select 1 union all select x + 1 from c)';

/** They end by their deadline alone. */
export const ENDLESS: readonly Attack[] = [
  `${FOREVER} select count(*) from c`,
  `${FOREVER} select max(x) from c order by 1`,
  'with recursive c(x) as (values (1) union all select 1 from c) select x from c where x = 2',
  `select 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' regexp '^(a+)+$'`,
  `select replace(hex(zeroblob(20000)), '0', 'a') regexp '(a*)*(a*)*(a*)*b'`,
  `select count(*) from big a, big b where hex(zeroblob(20000 + a.a + b.a)) like '%0_0%1'`,
  `select count(*) from big a, big b where hex(zeroblob(20000 + a.a + b.a)) glob '*0?0*[1-9]'`,
  `select count(*) from big a, big b, big c, big d where a.a + b.a + c.a + d.a < 0`,
].map((sql) => ({ sql, code: 'ENGINE_DEADLINE', words: 'ran longer than' }));
