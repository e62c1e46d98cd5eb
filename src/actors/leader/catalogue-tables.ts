/** What the catalogue keeps, in the order in which it came to be. */
export const CATALOGUE_MIGRATIONS = [
  `create table segments (
     id text primary key, slot integer not null, tier text not null, copies integer not null, version integer not null,
     size_bytes integer not null, sha256 text, schema text, modified_ms integer not null, vanished integer not null default 0,
     seen integer not null default 0
   ) without rowid;
   create index segments_by_slot on segments (slot, id)`,
  // What status and planning ask for, kept by each change: nobody counts millions of rows for it.
  `create table sums (
     slot integer not null, tier text not null, copies integer not null, segments integer not null, bytes integer not null,
     primary key (slot, tier, copies)
   ) without rowid;
   insert into sums select slot, tier, copies, count(*), sum(size_bytes) from segments group by slot, tier, copies;
   ${sumsFollow('segments')}`,
  // Rows lie in the order in which they came, so that very many can come at a time. The index by slot is in runs of half a million rows: as
  // slots are in no order, each batch would else change every page of it, however many there are. People read the view.
  `create table segment (
     key integer primary key, id text not null, slot integer not null, tier text not null, copies integer not null,
     version integer not null, size_bytes integer not null, modified_ms integer not null, vanished integer not null default 0,
     sha256 blob, schema text
   );
   insert into segment (id, slot, tier, copies, version, size_bytes, modified_ms, vanished, sha256, schema)
     select id, slot, tier, copies, version, size_bytes, modified_ms, vanished, unhex(sha256), schema from segments order by id;
   drop table segments;
   create unique index segment_by_id on segment (id);
   create index segment_by_slot on segment (key >> 19, slot);
   create view segments as select id, slot, tier, copies, version, size_bytes as bytes, lower(nullif(hex(sha256), '')) as sha256, schema,
     modified_ms, vanished from segment;
   ${sumsFollow('segment')}`,
  // One row: when a listing of cold storage was complete. Before that the catalogue may know of a part only.
  `create table listed (only integer primary key check (only = 1), at_ms integer not null)`,
  // Segments with rules of their own, as the metadata store has them; kept here too, as what an operator asked for is nowhere else once that is lost.
  // One row of `settled`: the settings by which the tier and the copies of all rows were set.
  `create table rules (
     id text primary key, copies integer, tier text, hot_copies integer, since_ms integer not null
   ) without rowid;
   create table settled (only integer primary key check (only = 1), settings text not null)`,
];

/** Triggers that keep `sums` true to the rows of that table. Part of migrations that have been made: never changed. */
function sumsFollow(table: string): string {
  return `create trigger segment_added after insert on ${table} begin
     insert into sums values (new.slot, new.tier, new.copies, 1, new.size_bytes)
       on conflict do update set segments = segments + 1, bytes = bytes + excluded.bytes;
   end;
   create trigger segment_removed after delete on ${table} begin
     update sums set segments = segments - 1, bytes = bytes - old.size_bytes
       where slot = old.slot and tier = old.tier and copies = old.copies;
   end;
   create trigger segment_changed after update of tier, copies, size_bytes on ${table}
     when (old.tier, old.copies, old.size_bytes) <> (new.tier, new.copies, new.size_bytes) begin
     update sums set segments = segments - 1, bytes = bytes - old.size_bytes
       where slot = old.slot and tier = old.tier and copies = old.copies;
     insert into sums values (new.slot, new.tier, new.copies, 1, new.size_bytes)
       on conflict do update set segments = segments + 1, bytes = bytes + excluded.bytes;
   end`;
}
