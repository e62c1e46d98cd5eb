// For container health checks: asks GET /healthz on every port of trough that listens in this container. Exit code 0 when each says yes and
// there is one at all. The ports are the defaults, or those of the environment.
import { get } from 'node:http';

const PORTS = [
  ['TROUGH_READ_PORT', 6444],
  ['TROUGH_WRITE_PORT', 6222],
  ['TROUGH_SYNC_MASTER_PORT', 6111],
  ['TROUGH_SYNC_LOCAL_PORT', 6112],
];
const TIMEOUT_MS = 3_000;

function ask(port) {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path: '/healthz', timeout: TIMEOUT_MS }, (response) => {
      response.resume();
      resolve(response.statusCode === 200 ? 'healthy' : `answers ${response.statusCode}`);
    });
    request.on('timeout', () => request.destroy(new Error(`nothing for ${TIMEOUT_MS} ms`)));
    request.on('error', (error) =>
      resolve(error.code === 'ECONNREFUSED' ? 'not used' : `does not answer: ${error.message}`),
    );
  });
}

const answers = await Promise.all(PORTS.map(([name, port]) => ask(process.env[name] ?? port)));
process.stdout.write(`${PORTS.map(([name], index) => `${name} ${answers[index]}`).join('\n')}\n`);
const used = answers.filter((answer) => answer !== 'not used');
process.exitCode = used.length > 0 && used.every((answer) => answer === 'healthy') ? 0 : 1;
