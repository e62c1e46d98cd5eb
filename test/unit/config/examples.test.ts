import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadSettings, type LoadedSettings } from '../../../src/settings/load.ts';
import { fileKey, SETTING_LIST } from '../../../src/settings/schema.ts';

const FOLDER = join(import.meta.dirname, '../../../config');
const EXAMPLES = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'));

function load(configFile?: string): Promise<LoadedSettings> {
  return loadSettings({ host: { env: {}, hostname: 'host', cores: 4 }, flags: {}, configFile });
}

describe('the example settings files', () => {
  it.each(EXAMPLES)('%s is taken as it is, without a warning', async (name) => {
    expect((await load(join(FOLDER, name))).warnings).toEqual([]);
  });

  it('default.yaml has the defaults, and leaves out what depends on the machine', async () => {
    const [{ settings }, builtIn] = await Promise.all([load(join(FOLDER, 'default.yaml')), load()]);
    expect(settings).toEqual(builtIn.settings);
  });

  it('default.yaml names every setting, in the order of --help, with its help', () => {
    const text = readFileSync(join(FOLDER, 'default.yaml'), 'utf8');
    const lines = text.matchAll(/^# (.*)\n(?:# )?(\w+):.*$/gm);
    const named = Array.from(lines, ([, help, key]) => `${String(key)}: ${String(help)}`);
    const wanted = SETTING_LIST.map(([key, { help, fallbackHelp }]) => {
      return `${fileKey(key)}: ${help}${fallbackHelp === undefined ? '' : ` (default: ${fallbackHelp})`}`;
    });
    expect(named).toEqual(wanted);
  });

  it('there is one for each kind of node, and together they cover every role', () => {
    const kinds = EXAMPLES.map((name) => parse(readFileSync(join(FOLDER, name), 'utf8')) as { roles?: string[] });
    expect(EXAMPLES).toEqual(['default.yaml', 'read-node.yaml', 'single.yaml', 'sync-master.yaml', 'write-node.yaml']);
    expect(new Set(kinds.flatMap(({ roles = [] }) => roles)).size).toBe(4);
  });
});
