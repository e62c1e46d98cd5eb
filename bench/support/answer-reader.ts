const HEAD_END = '\r\n\r\n';
const LAST_CHUNK = Buffer.from('0\r\n\r\n');
const SHOWN_BYTES = 300;

/**
 * Finds the ends of HTTP answers on a connection that has one request on its way. It keeps only the head: bodies are counted, not collected.
 * A chunked body ends where the bytes that have arrived end like its last chunk; JSON holds no line breaks, so nothing else looks like that.
 */
export class AnswerReader {
  #head: Buffer = Buffer.alloc(0);
  #inBody = false;
  /** Of the body; undefined when it is chunked. */
  #left: number | undefined;
  #tail: Buffer = Buffer.alloc(0);
  #ok = false;
  #beginning = '';
  #bodyBytes = 0;

  /** Whether the answer was 200. Like what follows, of the answer that is being read or was read last. */
  get ok(): boolean {
    return this.#ok;
  }

  /** Its first bytes, for messages. */
  get beginning(): string {
    return this.#beginning;
  }

  /** Body with its framing. */
  get bodyBytes(): number {
    return this.#bodyBytes;
  }

  /** Its last bytes, framing included. */
  get tail(): Buffer {
    return this.#tail;
  }

  /** True when this part completes an answer. */
  take(part: Buffer): boolean {
    if (this.#inBody) return this.#takeBody(part);
    this.#head = this.#head.length === 0 ? part : Buffer.concat([this.#head, part]);
    const end = this.#head.indexOf(HEAD_END, 0, 'latin1');
    if (end === -1) return false;
    const head = this.#head.toString('latin1', 0, end);
    const length = /\r\ncontent-length: (\d+)/i.exec(head);
    this.#left = length === null ? undefined : Number(length[1]);
    this.#ok = head.startsWith('HTTP/1.1 200');
    this.#beginning = this.#ok ? '' : this.#head.toString('utf8', 0, SHOWN_BYTES);
    this.#inBody = true;
    this.#bodyBytes = 0;
    const rest = this.#head.subarray(end + HEAD_END.length);
    this.#head = Buffer.alloc(0);
    return this.#takeBody(rest);
  }

  #takeBody(part: Buffer): boolean {
    this.#bodyBytes += part.length;
    if (this.#left !== undefined) {
      this.#left -= part.length;
      this.#inBody = this.#left > 0;
      return !this.#inBody;
    }
    this.#tail =
      part.length >= SHOWN_BYTES
        ? part.subarray(-SHOWN_BYTES)
        : Buffer.concat([this.#tail, part]).subarray(-SHOWN_BYTES);
    this.#inBody = !this.#tail.subarray(-LAST_CHUNK.length).equals(LAST_CHUNK);
    return !this.#inBody;
  }
}
