/** What a full mailbox does with one more message. `refuse`: the sender is told; `drop-oldest`: for streams of states, where only the newest count. */
export type Overflow = 'refuse' | 'drop-oldest';

/** A bounded first-in-first-out queue. */
export class Mailbox<Message> {
  readonly #limit: number;
  readonly #overflow: Overflow;
  #messages: (Message | undefined)[] = [];
  #head = 0;
  #dropped = 0;

  constructor(limit: number, overflow: Overflow) {
    this.#limit = limit;
    this.#overflow = overflow;
  }

  get size(): number {
    return this.#messages.length - this.#head;
  }

  /** How many messages were refused or dropped so far. */
  get dropped(): number {
    return this.#dropped;
  }

  /** False when the message was refused. */
  push(message: Message): boolean {
    if (this.size >= this.#limit) {
      this.#dropped += 1;
      if (this.#overflow === 'refuse') return false;
      this.shift();
    }
    this.#messages.push(message);
    return true;
  }

  shift(): Message | undefined {
    if (this.#head >= this.#messages.length) return undefined;
    const message = this.#messages[this.#head];
    // A handled message may be large: it must not live on in the queue.
    this.#messages[this.#head] = undefined;
    this.#head += 1;
    if (this.#head > 1024 && this.#head * 2 > this.#messages.length) {
      this.#messages = this.#messages.slice(this.#head);
      this.#head = 0;
    }
    return message;
  }
}
