import { stringify } from 'yaml';
import { type LoadedSettings } from './load.ts';
import { fileKey, SETTING_LIST } from './schema.ts';

/** Every setting as a line of a settings file, with where its value came from; passwords in addresses are hidden. */
export function printSettings({ settings, origins }: LoadedSettings): string {
  const lines = SETTING_LIST.map(([key, setting]) => {
    const shown = hideSecrets(setting.show(settings[key]));
    const value =
      shown === null
        ? ''
        : stringify(shown, { collectionStyle: 'flow', flowCollectionPadding: false, lineWidth: 0 }).trim();
    return [`${fileKey(key)}: ${value}`.trim(), origins[key].place] as const;
  });
  const width = Math.max(...lines.map(([line]) => (line.length > 60 ? 0 : line.length)));
  return lines.map(([line, place]) => `${line.padEnd(width)}  # ${place}\n`).join('');
}

/** `nats://user:word@host` becomes `nats://***@host`. The user of HDFS is no secret, and has no password there. */
function hideSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(hideSecrets);
  return typeof value === 'string' ? value.replace(/^((?!s?webhdfs:)[a-z]+:\/\/)[^@/]+@/, '$1***@') : value;
}
