// Prints the path of a usable nats-server, installing one when there is none. Run under Node 24 once dist is built.
import { findNatsServer } from '../dist/bus/nats-server-binary.js';

try {
  const { path } = await findNatsServer({ env: process.env, say: (line) => process.stderr.write(`trough: ${line}\n`) });
  process.stdout.write(`${path}\n`);
} catch (error) {
  process.stderr.write(`trough: ${error.message}\n`);
  process.exitCode = 1;
}
