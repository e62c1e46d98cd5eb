import fc from 'fast-check';

/** A base with one of everything whose replay could differ. */
export const REPLAY_SCHEMA = `
  create table plain (a, b default (random()), c default current_timestamp, d default (strftime('%s', 'now')));
  create table keyed (id integer primary key autoincrement, name text unique, n integer not null default 0, at text default (datetime('now', 'subsec')));
  create table bare (k text primary key, v blob default (randomblob(4))) without rowid;
  create table derived (x real, y as (x * 2) stored, z text as (printf('%.2f', x)), day text, w as (date(day)) stored, check (time(day) is not null or day is null));
  create index derived_day on derived (strftime('%Y', day), x);
  create table parent (id integer primary key, t);
  create table child (id integer primary key, parent references parent on delete cascade on update cascade deferrable initially deferred, t);
  create table log (what, row, changed, last, at default current_time, chance default (hex(randomblob(2))));
  create table counted (id integer primary key, t any) strict;
  create virtual table words using fts5(body, tag unindexed, prefix = 2);
  create virtual table boxes using rtree(id, x0, x1, +label text);
  create trigger keyed_in after insert on keyed begin
    insert into log (what, row, changed, last) values ('in', new.id, changes(), last_insert_rowid());
  end;
  create trigger keyed_up after update of n on keyed when new.n % 3 = 0 begin
    insert into words (body, tag) values (new.name || ' ' || abs(random()) % 7, current_date);
    update plain set b = random() where rowid = new.id;
  end;
  create trigger keyed_stop before delete on keyed when old.n > 7 begin select raise(rollback, 'kept'); end;
  create trigger parent_out after delete on parent begin delete from child where parent = old.id; end;
  create view both as select id, name, unixepoch('now') as u from keyed union all select rowid, a, random() from plain;
  create trigger both_in instead of insert on both begin insert into keyed (name, n) values (new.name, last_insert_rowid()); end;
  insert into keyed (name, n) values ('one', 1), ('two', 2);
  insert into parent values (1, 'p1'), (2, 'p2');
  insert into words (body, tag) values ('red green', 1), ('green blue', 2)`;

/** `$` is a small number, another at each place. */
const STATEMENTS = [
  'insert into plain (a) values ($), (random()), (hex(randomblob($)))',
  "insert into plain (a, c) select name, datetime('now', '-$ days') from keyed where n >= $ order by random()",
  "insert into plain (a) values (timediff('now', '2001-01-01')), (julianday('now')), (unixepoch('subsec')), (current_timestamp)",
  'insert into plain (a) values (changes()), (last_insert_rowid())',
  'insert into plain select * from plain limit $',
  'update plain set a = random() % $ where rowid % ($ + 1) = 0',
  'delete from plain order by b limit $',
  "insert into keyed (name, n) values ('k$', $)",
  "insert into keyed (name, n) values ('k$', $) on conflict (name) do update set n = n + excluded.n, at = current_time",
  "insert into keyed (name, n) values ('k$', 1), ('k$', 2), ('k$', 3) on conflict do nothing returning id, at",
  "insert or replace into keyed (id, name) values ($, 'r$')",
  "insert or ignore into keyed (name) values ('k$')",
  "insert or rollback into keyed (name) values ('one')",
  "insert or fail into keyed (name) values ('f$'), ('one'), ('never')",
  'update keyed set n = n + $ where id > $ returning n, random()',
  'delete from keyed where id = $ returning *',
  "insert into both (name) values ('v$')",
  "insert into bare (k) values ('b$'), ('c$')",
  "replace into bare values ('b$', randomblob($))",
  "insert into bare select 'q' || last_insert_rowid() || changes(), zeroblob($)",
  "insert into derived (x, day) values ($ / 3.0, '2024-0$-11 10:00'), (random() / 1e18, null)",
  'insert into derived (x, day) values ($, current_timestamp)',
  "insert into derived (x, day) values ($, 'now')",
  'delete from derived where x < $ and y <> z',
  'insert into parent (t) values (random())',
  "insert into child (parent, t) values ($, 'c'), (abs(random()) % 4, current_date)",
  'delete from parent where id = $',
  'update parent set id = id + 10 where id = $',
  "insert into words (body, tag) values ('red $ blue', datetime('now')), ('green ' || abs(random()), $)",
  "update words set body = body || ' more$' where rowid % 3 = $ % 3",
  "delete from words where words match 'blue' and rowid > $",
  "insert into plain (a) select highlight(words, 0, '<', '>') || rank from words('green') order by rank, rowid limit $",
  "insert into words (words) values ('optimize')",
  "insert into words (words, rank) values ('merge', $)",
  'insert into boxes (id, x0, x1, label) values (null, $, $ + 5.5, random())',
  "insert or replace into boxes values ($, 1, 2.25, 'b')",
  'delete from boxes where x0 > $',
  'insert into plain (a) select id || label from boxes where x1 > $ order by random()',
  'with recursive c(x) as (select 1 union all select x + 1 from c limit $) insert into counted (t) select x * random() from c',
  'insert into counted (id, t) values ($ * 1000, 1)',
  'insert into counted (t) select count(*) over (order by id) from keyed limit $',
  'create table if not exists made$ (id integer primary key, a default (random()), b default current_timestamp)',
  'insert into made1 (a) values ($)',
  'create table copy$ as select *, random() as r from keyed',
  'drop table if exists made$',
  'drop table if exists copy$',
  'create index if not exists by_n on keyed (n, name)',
  'drop index if exists by_n',
  'create index plain_a on plain (a) where a > $',
  'alter table plain add column e$ default $',
  'alter table counted rename to counted$',
  'alter table log drop column chance',
  'create trigger late after insert on counted begin insert into log (what, row) values (random(), new.id); end',
  'drop trigger if exists late',
  'analyze',
  'analyze keyed',
  'reindex',
  'create temp table mine as select random() as r, name from keyed',
  'insert into plain (a) select r || name from mine',
  'savepoint s; insert into plain (a) values (random()); rollback to s; release s',
  'savepoint s; insert into words (body) values (random()); release s',
  'pragma user_version = $',
  'select random() from keyed',
  'insert into plain (a) values (null), (nosuch())',
  "insert into counted (t) values (1), (2), (x'00')",
  "insert into plain (a) select count(*) from pragma_table_info('keyed'), sqlite_schema",
  "insert into plain (a) values (9223372036854775807), (1e300 * $), (-0.0), (x'00ff'), ('''\"')",
  'insert into counted (id, t) values (9223372036854775807, $)',
] as const;

const number = fc.integer({ min: 0, max: 9 });

const statement = fc
  .tuple(fc.constantFrom(...STATEMENTS), fc.array(number, { minLength: 6, maxLength: 6 }))
  .map(([text, numbers]) => {
    let used = 0;
    return text.replaceAll('$', () => String(numbers[(used += 1) % numbers.length]));
  });

/** Scripts of one to four statements, of which many fail. */
export const replayScript = fc.array(statement, { minLength: 1, maxLength: 4 }).map((parts) => parts.join(';\n'));
