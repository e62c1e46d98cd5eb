import { startNatsServer } from '../../src/bus/nats-server.ts';
import { silentLog } from '../../src/log.ts';
import { systemClock } from '../../src/runtime/clock.ts';

/** A process that owns a nats-server until it is killed: arguments binary, data directory. Sends `{url, pid}` to its parent. */
const [binary = '', dataDir = ''] = process.argv.slice(2);
const server = await startNatsServer({
  binary,
  dataDir,
  port: 0,
  clock: systemClock,
  log: silentLog,
  random: Math.random,
});
process.send?.({ url: server.url, pid: server.pid });
