/** `write-loop.ts DIRECTORY DELETE|WAL BYTES SECONDS`: durable transactions of one insert each, in a loop of better-sqlite3; says how many per second. */
import { sqliteLoop } from '../support/durable-loops.ts';
import { say } from '../support/say.ts';

const [, , directory = '.', mode = 'WAL', bytes = '300', seconds = '1'] = process.argv;
say(String(sqliteLoop(directory, mode === 'DELETE' ? 'DELETE' : 'WAL', Number(bytes), Number(seconds))));
