/**
 * Answers each NATS request at once with the same bytes, in a process of its own: what a query over NATS would cost if SQL cost nothing.
 * Arguments: server, subject, length of the answer. Sends `{url}` to its parent when it is subscribed; ends with it.
 */
import { connect } from 'nats';

const [servers = '', subject = '', length = '0'] = process.argv.slice(2);
const answer = Buffer.alloc(Number(length), 'x');
const connection = await connect({ servers });
connection.subscribe(subject, {
  callback: (error, message) => {
    if (error !== null) throw error;
    message.respond(answer);
  },
});
await connection.flush();
process.send?.({ url: servers });
process.on('disconnect', () => process.exit());
