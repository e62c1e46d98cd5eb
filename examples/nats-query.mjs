// Any NATS client can ask a segment: the subject names it, the message is the SQL.
//   node examples/nats-query.mjs SEGMENT 'SELECT …'     ($NATS_URL, default nats://127.0.0.1:4222)
import { connect } from 'nats';

const [segment, sql] = process.argv.slice(2);
const connection = await connect({ servers: process.env.NATS_URL ?? 'nats://127.0.0.1:4222' });
const answer = await connection.request(`trough.query.${segment}`, sql, { timeout: 5_000 });
console.log(answer.string());
await connection.close();
