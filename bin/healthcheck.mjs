// For container health checks: asks GET /healthz on every port of trough that listens in this container. Exit code 0 when each says yes and
// there is one at all. The ports are the defaults, or those of the environment.
const PORTS = [
  ['TROUGH_READ_PORT', 6444],
  ['TROUGH_WRITE_PORT', 6222],
  ['TROUGH_SYNC_MASTER_PORT', 6111],
  ['TROUGH_SYNC_LOCAL_PORT', 6112],
];
const TIMEOUT_MS = 3_000;

async function ask(port) {
  try {
    const { ok, status } = await fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    return ok ? 'healthy' : `answers ${status}`;
  } catch (error) {
    return error.cause?.code === 'ECONNREFUSED' ? 'not used' : `does not answer: ${error.message}`;
  }
}

const answers = await Promise.all(PORTS.map(([name, port]) => ask(process.env[name] ?? port)));
process.stdout.write(`${PORTS.map(([name], index) => `${name} ${answers[index]}`).join('\n')}\n`);
const used = answers.filter((answer) => answer !== 'not used');
process.exitCode = used.length > 0 && used.every((answer) => answer === 'healthy') ? 0 : 1;
