import { connect, type NatsConnection } from 'nats';
import { pointRead, segmentAt } from '../support/dataset.ts';
import { median, type System } from '../support/samples.ts';
import { sideProcess } from '../support/side-process.ts';
import { type Line, type Record, type Stage } from '../support/stage.ts';

const ECHO = 'bench.echo';
const TIMEOUT_MS = 10_000;

/** Point reads over NATS beside a service that answers at once with as many bytes, on the same nats-server. */
export const natsLines: readonly Line[] = [1, 64].map((inFlight) => ({
  name: `nats-${String(inFlight)}`,
  run: (stage, record) => reads(stage, inFlight, record),
}));

async function reads(stage: Stage, inFlight: number, record: Record): Promise<void> {
  const servers = stage.node.ready.urls.nats;
  const nats = await connect({ servers });
  try {
    const subject = `trough.query.${segmentAt(0)}`;
    const { data, headers } = await nats.request(subject, pointRead(), { timeout: TIMEOUT_MS });
    if (headers?.get('Trough-Status') !== '200')
      throw new Error(`the answer over NATS: ${Buffer.from(data).toString()}`);
    await using echo = await sideProcess('echo-service', servers, ECHO, String(data.length));
    if (echo.url !== servers) throw new Error('the echo service is somewhere else');
    const plan = { inFlight, seconds: stage.plan.seconds };
    recordRequests(record, 'echo', await requests(nats, { ...plan, subject: ECHO }));
    recordRequests(record, 'trough', await requests(nats, { ...plan, subject }));
  } finally {
    await nats.close();
  }
}

interface RequestPlan {
  readonly subject: string;
  readonly inFlight: number;
  readonly seconds: number;
}

/** Latencies in ms, and the seconds that all of them took. */
interface Requests {
  readonly latencies: readonly number[];
  readonly seconds: number;
}

async function requests(nats: NatsConnection, { subject, inFlight, seconds }: RequestPlan): Promise<Requests> {
  const latencies: number[] = [];
  const countFrom = performance.now() + seconds * 250;
  const endAt = countFrom + seconds * 1_000;
  const loop = async (): Promise<void> => {
    for (let sentAt = performance.now(); sentAt < endAt; sentAt = performance.now()) {
      const { headers } = await nats.request(subject, pointRead(), { timeout: TIMEOUT_MS });
      const status = headers?.get('Trough-Status') ?? '200';
      if (status !== '200') throw new Error(`an answer over NATS has the status ${status}`);
      if (sentAt >= countFrom) latencies.push(performance.now() - sentAt);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, loop));
  return { latencies, seconds };
}

function recordRequests(record: Record, system: System, { latencies, seconds }: Requests): void {
  record('answers/s', system, latencies.length / seconds);
  record('p50 ms', system, median(latencies));
  record('p99 ms', system, latencies.toSorted((a, b) => a - b)[Math.floor(latencies.length * 0.99)] ?? NaN);
}
