import { SqlScanner } from './sql-scanner.ts';

/** One statement of a script. */
export interface SqlStatement {
  /** From its first token to its last, without the semicolon. */
  readonly text: string;
  /** Where it starts in the script, UTF-16 units. */
  readonly start: number;
  /** Its first word in upper case (EXPLAIN and WITH are not looked through); '' when it starts with something else. */
  readonly keyword: string;
  /** By index - 1, as SQLite counts them: the name without its prefix, null for a parameter without a name. */
  readonly parameters: readonly (string | null)[];
}

/**
 * Cuts a script into its statements as SQLite's parser would; empty ones are left out.
 * A statement that SQLite would not understand is still one statement: SQLite says what is wrong with it.
 */
export function splitScript(sql: string): readonly SqlStatement[] {
  const statements: SqlStatement[] = [];
  const scanner = new SqlScanner(sql);
  let open: OpenStatement | undefined;
  while (scanner.next()) {
    if (open === undefined) {
      if (scanner.kind === 'semicolon') continue;
      open = new OpenStatement(scanner);
    } else if (open.endsHere(scanner)) {
      statements.push(open.close(sql));
      open = undefined;
      continue;
    }
    open.add(scanner);
  }
  if (open !== undefined) statements.push(open.close(sql));
  return statements;
}

/** The head of CREATE TRIGGER, after which only `; END ;` ends the statement (as in sqlite3_complete). */
const TRIGGER_HEAD = /^(EXPLAIN (QUERY PLAN )?)?CREATE ((TEMP|TEMPORARY) )?TRIGGER $/;
const HEAD_WORDS = 6;

class OpenStatement {
  readonly #start: number;
  readonly #keyword: string;
  readonly #parameters: (string | null)[] = [];
  readonly #named = new Set<string>();
  #end = 0;
  #head = '';
  #words = 0;
  #isTrigger = false;
  /** In a trigger: 1 after a semicolon, 2 after `; END`. */
  #trail = 0;

  constructor(first: SqlScanner) {
    this.#start = first.start;
    this.#keyword = first.keyword;
  }

  endsHere(token: SqlScanner): boolean {
    return token.kind === 'semicolon' && (!this.#isTrigger || this.#trail === 2);
  }

  add(token: SqlScanner): void {
    this.#end = token.end;
    if (this.#words < HEAD_WORDS) this.#addToHead(token);
    if (this.#isTrigger) this.#trail = trailAfter(token, this.#trail);
    if (token.kind === 'parameter') this.#addParameter(token.text);
  }

  close(sql: string): SqlStatement {
    return {
      text: sql.slice(this.#start, this.#end),
      start: this.#start,
      keyword: this.#keyword,
      parameters: this.#parameters,
    };
  }

  #addToHead(token: SqlScanner): void {
    this.#words += 1;
    this.#head += `${token.keyword} `;
    this.#isTrigger ||= TRIGGER_HEAD.test(this.#head);
  }

  #addParameter(text: string): void {
    if (text === '?') {
      this.#parameters.push(null);
    } else if (text.startsWith('?')) {
      const index = Math.min(Number(text.slice(1)), MOST_PARAMETERS);
      while (this.#parameters.length < index) this.#parameters.push(null);
      if (index > 0) this.#parameters[index - 1] = text.slice(1);
    } else if (!this.#named.has(text)) {
      this.#named.add(text);
      this.#parameters.push(text.slice(1));
    }
  }
}

/** SQLite's own limit (SQLITE_MAX_VARIABLE_NUMBER); it refuses a higher index itself. */
const MOST_PARAMETERS = 32_766;

function trailAfter(token: SqlScanner, trail: number): number {
  if (token.kind === 'semicolon') return 1;
  return trail === 1 && token.keyword === 'END' ? 2 : 0;
}
