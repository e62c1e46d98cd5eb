/** Whose records, and in which stream they are. The stream's name is kept by the caller (a segment's lease holds it). */
export interface JournalKey {
  /** One of `streams`; for a new key, what `pickStream` says. */
  readonly stream: string;
  /** Any text of 1 to 400 bytes, such as a segment's id. */
  readonly name: string;
}

export interface JournalEntry {
  /** Names this very record among all that are ever appended to its key: 1 to 200 printable ASCII characters without spaces. */
  readonly id: string;
  readonly body: Uint8Array;
  /** For the few records that must also fit into a nearly full journal (claims, intents, closings): the share kept back is theirs. */
  readonly reserved?: boolean;
}

export interface JournalRecord {
  /** Above 0; grows along a key and is unique in its stream. Not consecutive: keys share the numbers. */
  readonly sequence: number;
  readonly id: string;
  readonly body: Uint8Array;
  /** When the journal took it in, by the journal's clock: ms since 1970. */
  readonly timeMs: number;
}

/** What one stream holds. */
export interface JournalState {
  /** Changes when the stream was lost and made anew: sequences of different incarnations have nothing to do with each other. */
  readonly incarnation: string;
  /** Of the newest record ever appended; 0: none yet. Lower than one that was seen before: the stream was set back. */
  readonly lastSequence: number;
  readonly records: number;
  readonly bytes: number;
  readonly limitBytes: number;
  /** From here on ordinary records are refused. */
  readonly ordinaryLimitBytes: number;
}

export interface JournalRange {
  /** The first sequence that is wanted. */
  readonly from: number;
  /**
   * The last one, which the key has or had: a claimant gives its claim's sequence, and so rests on no word but the journal's acknowledgement.
   * JOURNAL_LOST when the key does not go that far.
   * Default: the key's last record, as the stream's leader has it when the reading begins.
   */
  readonly through?: number;
  /** The reading ends early, behind about so many records or bytes of them, and never before the first: for who goes on later. Default: no end but `through`. */
  readonly most?: { readonly records: number; readonly bytes: number };
}

/** A record with the name of its key. */
export interface NamedRecord extends JournalRecord {
  readonly name: string;
}

/**
 * The durable, ordered record of what was written: for each key a chain of records, each appended only if the chain's end is what the
 * appender thinks. README.md of this folder has the promises; the contract suite holds every driver to them.
 *
 * Errors of every method: JOURNAL_UNREACHABLE (no answer until the signal fired; nothing was changed), JOURNAL_LOST (the stream is gone, or is
 * another one), STOPPING (the journal is closed), REQUEST_INVALID (a name or an id that cannot be). A signal that fires ends the wait.
 */
export interface Journal extends AsyncDisposable {
  /** All that exist, also those made under an earlier setting. */
  readonly streams: readonly string[];
  /** Largest `body`, in bytes. */
  readonly recordLimitBytes: number;

  /** The stream for a key that has none yet: the same for one name as long as the number of streams is. */
  pickStream(name: string): string;

  /**
   * Appends if the key's last record has the sequence `expected` (0: it has none), and answers when the record is on disk on a majority of the
   * journal's servers: with its sequence, which is above `expected`. Appends of one key happen in the order of the calls, one at a time.
   *
   * A lost answer is resolved inside, for as long as it takes or until the signal fires: so the sequence also comes when somebody has
   * appended after this record meanwhile. The same call again (same id, body, expectation) goes on where one ended with JOURNAL_UNKNOWN. `body` must not change
   * meanwhile.
   *
   * Errors: JOURNAL_FENCED (another record stands there; this one is not in the journal and never will be; context `found`: the key's
   * last sequence), JOURNAL_FULL, JOURNAL_BUSY (too many bytes wait here), JOURNAL_TOO_LARGE (context `limitBytes`): not appended.
   * JOURNAL_UNREACHABLE: the signal fired before anything left this process. JOURNAL_UNKNOWN: it fired later; the record is there, or may
   * still get there unless something else is appended to its key first.
   */
  append(key: JournalKey, entry: JournalEntry, expected: number, signal?: AbortSignal): Promise<number>;

  /** The key's newest record, as the stream's leader has it; undefined: it has none. */
  last(key: JournalKey, signal?: AbortSignal): Promise<JournalRecord | undefined>;

  /**
   * The key's records in that range, in order, none left out but those purged; a slow consumer holds up nothing but itself. What is purged while it is
   * being read, or was purged a moment ago, may come or not: a server that is behind may answer.
   */
  read(key: JournalKey, range: JournalRange, signal?: AbortSignal): AsyncIterable<JournalRecord>;

  /**
   * The records of all keys of a stream in that range, in the order in which they were appended: as `read`, with the stream in the place of the key. So for
   * each key in its order.
   */
  readStream(stream: string, range: JournalRange, signal?: AbortSignal): AsyncIterable<NamedRecord>;

  /** Removes the key's records with a sequence below that, but never the last one: the expectation rests on it. Works in a full journal. */
  purge(key: JournalKey, belowSequence: number, signal?: AbortSignal): Promise<void>;

  /** The names that have records in that stream, for rebuilding what is known. One may come twice, one that is new meanwhile may be missing. */
  keys(stream: string, signal?: AbortSignal): AsyncIterable<string>;

  state(stream: string, signal?: AbortSignal): Promise<JournalState>;

  /** Records of one key and the bytes of their bodies. Reads them all: for a person who asks. */
  usage(key: JournalKey, signal?: AbortSignal): Promise<{ readonly records: number; readonly bytes: number }>;
}
