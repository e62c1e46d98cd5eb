import { spawnSync } from 'node:child_process';

/** One value: its type, and its bytes in hex (TEXT and BLOB; REAL as the eight bytes of the double) or its digits (INTEGER). */
export interface Said {
  readonly type: string;
  readonly value: string;
}

/** A SQLite that is none of ours, on this machine. */
export interface OtherSqlite {
  readonly name: string;
  /** What it says of queries that give one row of one column named `v`; undefined for one that fails. */
  readonly ask: (file: string, queries: readonly string[]) => (Said | undefined)[];
}

const MARK = '#';
const MOST_OUTPUT_BYTES = 256 * 1024 * 1024;

/** What tells a value to the last bit. A BLOB in the command line's text would be cut at its first NUL. */
const TOLD = `typeof(v) || '|' || case typeof(v) when 'real' then hex(ieee754_to_blob(v)) when 'integer' then cast(v as text)
  else hex(v) end`;

const PYTHON = `
import sqlite3, struct, sys
class Text(bytes): pass
db = sqlite3.connect(sys.argv[1])
db.text_factory = Text
def told(value):
    if value is None: return 'null|'
    if isinstance(value, int): return 'integer|%d' % value
    if isinstance(value, float): return 'real|' + struct.pack('>d', value).hex()
    return ('text|' if isinstance(value, Text) else 'blob|') + value.hex()
for sql in sys.stdin.buffer.read().decode().split('\\0'):
    print('#')
    try: print(told(db.execute(sql).fetchone()[0]))
    except sqlite3.Error: pass
`;

/** The command \`sqlite3\`, else the module of \`python3\`; undefined when the machine has neither. */
export function otherSqlite(): OtherSqlite | undefined {
  if (run('sqlite3', [':memory:'], 'select hex(ieee754_to_blob(1.5))') === '3FF8000000000000\n')
    return { name: 'sqlite3', ask: askShell };
  if (run('python3', ['-c', 'import sqlite3; print(1)'], '') === '1\n') return { name: 'python3', ask: askPython };
  return undefined;
}

function askShell(file: string, queries: readonly string[]): (Said | undefined)[] {
  const script = queries.map((sql) => `select '${MARK}';\nselect ${TOLD} from (${sql});\n`).join('');
  return told(run('sqlite3', ['-readonly', '-noheader', file], script), queries.length);
}

function askPython(file: string, queries: readonly string[]): (Said | undefined)[] {
  return told(run('python3', ['-c', PYTHON, file], queries.join('\0')), queries.length);
}

function told(output: string | undefined, count: number): (Said | undefined)[] {
  const [before, ...parts] = (output ?? '').split(`${MARK}\n`);
  if (before !== '' || parts.length !== count)
    throw new Error(`${String(parts.length)} answers to ${String(count)} queries`);
  return parts.map((part) => {
    const [type, value] = part.trimEnd().split('|');
    return type === undefined || value === undefined ? undefined : { type, value: value.toLowerCase() };
  });
}

/** Its output, whatever it says of errors; undefined when there is no such program. */
function run(program: string, args: readonly string[], input: string): string | undefined {
  const { stdout, error } = spawnSync(program, args, { input, encoding: 'utf8', maxBuffer: MOST_OUTPUT_BYTES });
  return error === undefined ? stdout : undefined;
}
