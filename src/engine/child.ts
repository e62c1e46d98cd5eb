import { Socket } from 'node:net';
import { finishSnapshot, verify } from './child-files.ts';
import { LocalDatabases } from './child-local.ts';
import { checkSchema, NewFiles } from './child-new-files.ts';
import { ChildServer } from './child-server.ts';
import { Writers } from './child-writer.ts';
import { type ChildArguments, type ServiceHandlers } from './messages.ts';
import { FrameReader } from './protocol.ts';

/** Segments that have a connection for writing at a time: what one takes in memory is some 300 KB. */
const MOST_WRITING = 700;

/** The entry of every child of the engine. It serves frames on fd 3 and ends when that is closed. */
async function main(): Promise<void> {
  const settings = JSON.parse(process.argv[2] ?? '{}') as ChildArguments;
  // It may have died before the system was told to end us with it.
  if (process.ppid !== settings.parent) process.exit(1);
  if (settings.watchesParent) await watchParent(settings.parent);
  for (const signal of IGNORED) process.on(signal, ignore);
  if (settings.scratch !== undefined) process.env['SQLITE_TMPDIR'] = settings.scratch;
  const socket = new Socket({ fd: 3, readable: true, writable: true });
  const writers = new Writers(Math.min(settings.openFiles, MOST_WRITING));
  const locals = new LocalDatabases();
  const server = new ChildServer(
    (bytes, done) => socket.write(bytes, done),
    settings,
    handlers(writers, locals),
    () => performance.now(),
  );
  const reader = new FrameReader((type, call, payload) => {
    server.receive(type, call, payload);
  });
  socket.on('data', (received: Buffer) => {
    reader.push(received);
    server.wake();
  });
  socket.on('error', () => process.exit(1));
  socket.on('end', () => {
    writers.closeAll();
    locals.closeAll();
    process.exit(0);
  });
  server.ready();
}

/**
 * The parent decides when a child ends; a Ctrl-C in a terminal reaches the whole group and must not cut off its answers. A file that
 * grows over the limit is an error of the write.
 */
const IGNORED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGXFSZ'] as const;

function ignore(): void {
  return;
}

const WATCH = `
  const { workerData } = require('node:worker_threads');
  setInterval(() => { if (process.ppid !== workerData) process.kill(process.pid, 'SIGKILL'); }, 1000);
`;

/** A second thread, because SQLite may keep the first one busy for ever. */
async function watchParent(parent: number): Promise<void> {
  const { Worker } = await import('node:worker_threads');
  const worker = new Worker(WATCH, {
    eval: true,
    workerData: parent,
    resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 1 },
  });
  worker.unref();
}

function handlers(writers: Writers, locals: LocalDatabases): ServiceHandlers {
  const newFiles = new NewFiles();
  return {
    checkSchema: ({ sql }) => {
      checkSchema(sql);
      return null;
    },
    buildFile: ({ file, temporary, ...from }) => ({ applicationId: newFiles.build(file, temporary, from) ?? null }),
    verify: ({ file }) => {
      verify(file);
      return null;
    },
    finishSnapshot: ({ file, applicationId }) => finishSnapshot(file, applicationId),
    openWriter: ({ file, isJournaled }) => writers.open(file, isJournaled),
    apply: ({ handle, writes }) => writers.apply(handle, writes),
    commit: ({ handle, sequence }) => {
      writers.commit(handle, sequence);
      return null;
    },
    applied: ({ handle }) => writers.applied(handle),
    setApplicationId: ({ handle, value }) => {
      writers.setApplicationId(handle, value);
      return null;
    },
    replay: ({ handle, records }) => {
      writers.replay(handle, records);
      return null;
    },
    rollback: ({ handle }) => {
      writers.rollback(handle);
      return null;
    },
    copyTo: ({ handle, to }, signal) => writers.copyTo(handle, to, signal),
    closeWriter: ({ handle }) => {
      writers.close(handle);
      return null;
    },
    openLocal: ({ file, migrations }) => ({ handle: locals.open(file, migrations) }),
    runLocal: ({ handle, statements }) => {
      locals.run(handle, statements);
      return null;
    },
    allLocal: ({ handle, sql, params }) => locals.all(handle, { sql, params }),
    closeLocal: ({ handle }) => {
      locals.close(handle);
      return null;
    },
  };
}

await main();
