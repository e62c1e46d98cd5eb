/**
 * An actor: a name and a `receive` that is never called again before its last call has ended.
 * It may await ports, never another actor; what it wants of another it emits as a message.
 */
export interface Actor<Message> {
  readonly name: string;
  receive(message: Message): void | Promise<void>;
  /** Called once, before the first message. */
  start?(): void | Promise<void>;
  /** Called once, after the last message; open resources are given back here. */
  stop?(): void | Promise<void>;
}

/** How others reach an actor: the message is queued, or refused with `false` when the mailbox is full or the actor has stopped. */
export interface ActorRef<Message> {
  readonly name: string;
  readonly send: (message: Message) => boolean;
}

/** Where an actor says something; the role decides who hears it. */
export type Emit<Message> = (message: Message) => void;
