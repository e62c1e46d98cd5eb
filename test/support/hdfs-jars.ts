import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { accessSync, constants, existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const SOURCES = join(import.meta.dirname, 'hdfs');
const TOOLS = ['java', 'javac', 'mvn', 'curl', 'sqlite3'] as const;
const run = promisify(execFile);

/** What a real HDFS needs that is not on this machine, as a sentence; undefined when nothing is missing. */
export function missingForHdfs(): string | undefined {
  const missing = TOOLS.filter((tool) => !isOnPath(tool));
  return missing.length === 0
    ? undefined
    : `not on PATH: ${missing.join(', ')} (needed: a JDK 17, Maven, curl and sqlite3)`;
}

/** The class path that starts `MiniHdfs`, of the Hadoop that pom.xml names, or $HADOOP_VERSION. The first call fetches Hadoop with Maven and compiles; what came of it is kept in the user's cache directory. */
export async function hdfsClassPath(): Promise<string> {
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'trough', 'hdfs');
  const asked = process.env['HADOOP_VERSION'];
  const version = asked === undefined ? [] : [`-Dhadoop.version=${asked}`];
  const lib = await made(cache, 'pom.xml', version.join(''), async (directory) => {
    const pom = join(SOURCES, 'pom.xml');
    await run('mvn', ['-q', '-B', '-ntp', '-f', pom, `-Dlib=${directory}`, ...version, 'package'], {
      maxBuffer: 10_000_000,
    });
  });
  const classes = await made(cache, 'MiniHdfs.java', lib, async (directory) => {
    // The published jars lack the folders of the web pages; the HTTP servers only ask that they exist.
    for (const name of ['hdfs', 'datanode']) await mkdir(join(directory, 'webapps', name), { recursive: true });
    const source = join(SOURCES, 'MiniHdfs.java');
    await run('javac', ['-XDignore.symbol.file', '-d', directory, '-cp', `${lib}/*`, source]);
  });
  return `${classes}${delimiter}${lib}/*`;
}

/** The directory that `make` fills from a source file and what else it depends on; made once for each content of these, whole or not at all. */
async function made(
  cache: string,
  source: string,
  depends: string,
  make: (directory: string) => Promise<void>,
): Promise<string> {
  const hash = createHash('sha256').update(await readFile(join(SOURCES, source)));
  hash.update(depends);
  const directory = join(cache, `${source}-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(directory)) return directory;
  const half = join(cache, `half-${randomUUID()}`);
  await mkdir(half, { recursive: true });
  try {
    await make(half);
    await rename(half, directory);
  } catch (error) {
    // Another process may have been quicker.
    if (!existsSync(directory)) throw error;
  } finally {
    await rm(half, { recursive: true, force: true });
  }
  return directory;
}

function isOnPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return directory !== '';
    } catch {
      return false;
    }
  });
}
