import { once } from 'node:events';
import { symlink, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tempDir } from '../support/temp-dir.ts';
import { trough, troughThatFails, type TroughRun, verb } from '../support/trough-process.ts';

let dir: Awaited<ReturnType<typeof tempDir>>;
let other: TroughRun & AsyncDisposable;

beforeAll(async () => {
  dir = await tempDir();
  other = await trough({ data: `${dir.path}/other`, node: 'other' });
});

afterAll(async () => {
  await other[Symbol.asyncDispose]();
  await dir[Symbol.asyncDispose]();
});

/** What a start that fails says to a person: the lines that are no log lines. */
async function refusal(
  options: Partial<Parameters<typeof troughThatFails>[0]>,
): Promise<{ code: number | null; said: string }> {
  const { code, stderr } = await troughThatFails({ data: `${dir.path}/own`, ...options });
  const said = stderr.split('\n').filter((line) => !line.startsWith('{'));
  return { code, said: said.join('\n') };
}

const oneSentence = (text: string): RegExp => new RegExp(`^trough: ${text}\n$`);

describe('a port in use', () => {
  it.each(['--read-port', '--write-port', '--sync-master-port', '--sync-local-port'])(
    '%s ends the start with exit code 1 and one sentence that names the port',
    async (flag) => {
      await using taken = createServer().listen(0, '127.0.0.1');
      await once(taken, 'listening');
      const { port } = taken.address() as AddressInfo;
      const { code, said } = await refusal({ args: [flag, String(port)] });
      expect(code).toBe(1);
      expect(said).toMatch(oneSentence(`another process listens on 127\\.0\\.0\\.1:${String(port)} \\(PORT_IN_USE\\)`));
    },
  );

  it('for the nats-server of its own is named in the same way', async () => {
    const { port } = new URL(other.ready.urls.nats);
    const { code, said } = await refusal({ args: ['--nats-port', port] });
    expect(code).toBe(1);
    expect(said).toMatch(oneSentence(`[^\n]*127\\.0\\.0\\.1:${port}[^\n]* \\(PORT_IN_USE\\)`));
  });

  it('leaves the data directory free for the next start', async () => {
    const { port } = new URL(other.ready.urls.read ?? '');
    const data = `${dir.path}/again`;
    expect((await refusal({ data, args: ['--read-port', port] })).code).toBe(1);
    await using run = await trough({ data });
    expect(run.ready.node).toBe('n1');
  });
});

describe('a data directory', () => {
  it('that another process uses is refused with the id of that process, which goes on', async () => {
    const { code, said } = await refusal({ data: `${dir.path}/other` });
    expect(code).toBe(1);
    expect(said).toMatch(
      oneSentence(
        `the data directory [^\n]*/other is in use by process ${String(other.pid)}: [^\n]+ \\(DATA_DIRECTORY_IN_USE\\)`,
      ),
    );
    expect((await fetch(new URL('readyz', other.ready.urls.read))).status).toBe(200);
  });

  it.each([
    ['that is a regular file', 'file', 'there is a file of that name'],
    ['below a regular file', 'file/below', 'a part of its path is a file'],
    ['behind a link to nowhere', 'link', 'it cannot be created there'],
  ])('%s is refused with the reason and what to do', async (_what, path, reason) => {
    await writeFile(`${dir.path}/file`, '');
    if (path === 'link') await symlink(`${dir.path}/gone`, `${dir.path}/link`);
    const data = `${dir.path}/${path}`;
    const { code, said } = await refusal({ data });
    expect(code).toBe(1);
    const sentence = `the data directory ${data} cannot be used: ${reason}: choose another directory`;
    expect(said).toMatch(oneSentence(`${sentence} \\(DATA_DIRECTORY_UNUSABLE\\)`));
  });

  it('in a file system in which no directory can be made is refused at once', async () => {
    const { code, said } = await refusal({ data: '/proc/trough' });
    expect(code).toBe(1);
    expect(said).toMatch(
      oneSentence('the data directory /proc/trough cannot be used: [^\n]* \\(DATA_DIRECTORY_UNUSABLE\\)'),
    );
  });
});

describe('cold storage below a regular file', () => {
  it('ends the start with exit code 1 and a sentence that names the place', async () => {
    await writeFile(`${dir.path}/file`, '');
    const { code, said } = await refusal({ args: ['--cold', `${dir.path}/file/cold`] });
    expect(code).toBe(1);
    expect(said).toMatch(oneSentence(`[^\n]*cold storage[^\n]*${dir.path}/file/cold[^\n]* \\(COLD_FAILED\\)`));
  });
});

describe('a nats-server', () => {
  it('that is missing ends the start with exit code 1 and the place where it was looked for', async () => {
    const { code, said } = await refusal({ env: { TROUGH_NATS_SERVER: '/nonexistent' } });
    expect(code).toBe(1);
    expect(said).toMatch(
      oneSentence('/nonexistent \\(\\$TROUGH_NATS_SERVER\\) is not an executable file \\(NATS_SERVER_MISSING\\)'),
    );
  });

  it('that is something else ends the start with exit code 1 and what it is', async () => {
    const { code, said } = await refusal({ env: { TROUGH_NATS_SERVER: '/bin/true' } });
    expect(code).toBe(1);
    expect(said).toMatch(oneSentence('/bin/true \\(\\$TROUGH_NATS_SERVER\\) does not tell its version: [^\n]*'));
  });
});

describe('the name of a node', () => {
  it('that another process of the cluster has is refused', async () => {
    const args = ['--nats', other.ready.urls.nats, '--cold', `${dir.path}/other/cold`];
    const { code, said } = await refusal({ node: 'other', args });
    expect(code).toBe(1);
    expect(said).toMatch(
      oneSentence("another process of this cluster runs as node 'other'; [^\n]+ \\(NODE_NAME_TAKEN\\)"),
    );
  });
});

describe('a wrong setting ends the start with exit code 2 and the place where it stands', () => {
  it.each([
    [
      'an unknown flag',
      ['--query-dedline', '3s'],
      {},
      "unknown option '--query-dedline'; did you mean --query-deadline\\?",
    ],
    ['a bad value of a flag', ['--query-deadline', '3x'], {}, "flag --query-deadline: '3x' is not a duration"],
    ['a role that there is none of', ['--role', 'raeder'], {}, "flag --role: [^\n]*not 'raeder'"],
    ['a bad address of a NATS server', ['--nats', 'http://'], {}, 'flag --nats: [^\n]*address of a NATS server'],
    [
      'an address of another machine',
      ['--bind', '192.0.2.1'],
      {},
      '192\\.0\\.2\\.1:0 is not an address of this machine',
    ],
    [
      'an unknown variable',
      [],
      { TROUGH_QUERY_DEDLINE: '3s' },
      'environment TROUGH_QUERY_DEDLINE: there is no such setting; did you mean TROUGH_QUERY_DEADLINE\\?',
    ],
    ['a bad value of a variable', [], { TROUGH_COPIES: 'many' }, 'environment TROUGH_COPIES: must be a whole number'],
    [
      'a settings file that is not there',
      ['--config', '/nonexistent.yaml'],
      {},
      'settings file /nonexistent.yaml: there is no such file',
    ],
  ] as const)('%s', async (_what, args, env, sentence) => {
    const { code, said } = await refusal({ args, env });
    expect(code).toBe(2);
    expect(said).toMatch(new RegExp(`^trough: ${sentence}[^\n]*\n$`));
  });

  it('a verb that there is none of', async () => {
    const { code, stdout, stderr } = await verb(['raed', 'segment']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toBe("trough: there is no verb 'raed'; see trough --help\n");
  });

  it('with the line of the settings file, every problem at once', async () => {
    const file = `${dir.path}/wrong.yaml`;
    await writeFile(file, '# mine\nqueryDedline: 3s\ncopies: many\n');
    const { code, said } = await refusal({ args: ['--config', file] });
    expect(code).toBe(2);
    expect(said).toContain(`${file}:2 (queryDedline): there is no such setting; did you mean queryDeadline?`);
    expect(said).toContain(`${file}:3 (copies): must be a whole number from 1 to 8`);
  });

  it('with the line in which the file is no YAML', async () => {
    const file = `${dir.path}/broken.yaml`;
    await writeFile(file, 'copies: 2\nrules: [1\n');
    const { code, said } = await refusal({ args: ['--config', file] });
    expect(code).toBe(2);
    expect(said).toMatch(new RegExp(`^trough: ${file}:[23]: `));
  });
});
