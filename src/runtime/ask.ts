import { TroughError } from '../errors.ts';
import { type ActorRef } from './actor.ts';

export type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: TroughError };
/** Rides in a request message; called once. */
export type Reply<T> = (result: Result<T>) => void;

/** Sends a request to an actor; the promise is its reply. MAILBOX_FULL when the actor cannot take one more. The caller owns the deadline. */
export function ask<T, const Message>(actor: ActorRef<Message>, make: (reply: Reply<T>) => Message): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const sent = actor.send(
      make((result) => {
        if (result.ok) resolve(result.value);
        else reject(result.error);
      }),
    );
    if (!sent) reject(new TroughError('MAILBOX_FULL', `${actor.name} has too much to do; try again shortly`));
  });
}

/** Replies with what the promise becomes. Never rejects, so it may be left running. */
export async function replyWith<T>(reply: Reply<T>, work: Promise<T>): Promise<void> {
  try {
    reply({ ok: true, value: await work });
  } catch (error) {
    reply({ ok: false, error: TroughError.from(error) });
  }
}
