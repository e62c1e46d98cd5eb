import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { demandNatsServerVersion } from '../../../src/bus/nats-server-version.ts';
import { loadSettings } from '../../../src/settings/load.ts';
import { type ComposeService, imageEnvironment, readCompose } from '../../support/compose.ts';

const ROOT = join(import.meta.dirname, '../../..');
const compose = readCompose();
const services = Object.entries(compose.services);
const ofTrough = services.filter(([, { image }]) => image.startsWith('trough:'));

function roles({ command }: ComposeService): string[] {
  return command.map((word) => word.replace(/^--role=/, ''));
}

describe('compose.yaml', () => {
  it('has the cluster that it promises', () => {
    const names = services.filter(([, { profiles }]) => profiles === undefined).map(([name]) => name);
    expect(names).toEqual(['nats-1', 'nats-2', 'nats-3', 'sync-master-1', 'sync-master-2', 'node']);
    expect(compose.services['node']?.deploy).toEqual({ replicas: 3 });
    expect(new Set(ofTrough.flatMap(([, service]) => roles(service)))).toEqual(
      new Set(['reader', 'writer', 'sync-master', 'sync-local']),
    );
  });

  it('names only services, volumes and files that there are', () => {
    const named = services.flatMap(([, { depends_on = [] }]) =>
      Array.isArray(depends_on) ? depends_on : Object.keys(depends_on),
    );
    expect(Object.keys(compose.services)).toEqual(expect.arrayContaining(named));
    const volumes = services.flatMap(([, { volumes = [] }]) =>
      volumes.flatMap((volume) => volume.split(':').slice(0, -1)),
    );
    expect(new Set(volumes)).toEqual(new Set(Object.keys(compose.volumes)));
    for (const { file } of Object.values(compose.configs)) expect(existsSync(join(ROOT, file))).toBe(true);
  });

  it('lets the nodes be scaled: no name, host port or named data volume of which there is one', () => {
    const node = compose.services['node'];
    expect(node?.hostname).toBeUndefined();
    expect(node?.environment).not.toHaveProperty('TROUGH_NODE');
    for (const port of node?.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1::/);
    expect(node?.volumes).toEqual(['/var/lib/trough', 'cold:/var/lib/trough-cold']);
  });

  it('publishes no host port twice', () => {
    const published = services
      .flatMap(([, { ports = [] }]) => ports.map((port) => port.split(':')[1] ?? ''))
      .filter((port) => port !== '');
    expect(new Set(published).size).toBe(published.length);
  });

  it.each(ofTrough)('gives %s settings that trough takes without a warning', async (_, service) => {
    const env = { ...imageEnvironment(), ...service.environment };
    const { settings, warnings } = await loadSettings({
      host: { env, hostname: 'c0ffee', cores: 1 },
      flags: { roles: roles(service) },
    });
    expect(warnings).toEqual([]);
    expect(settings).toMatchObject({
      roles: roles(service),
      bind: '0.0.0.0',
      advertise: env['TROUGH_NODE'] ?? 'c0ffee',
    });
    expect(settings.nats).toHaveLength(3);
    for (const directory of [settings.data, settings.cold]) expect(service.volumes?.join(' ')).toContain(directory);
  });

  it('takes one version of nats-server, new enough, here and in the image', () => {
    const inImage =
      /^FROM nats:([\d.]+)-alpine AS nats$/m.exec(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'))?.[1] ?? '';
    expect(() => {
      demandNatsServerVersion(inImage, 'the image');
    }).not.toThrow();
    const images = services.filter(([name]) => name.startsWith('nats-')).map(([, { image }]) => image);
    expect(new Set(images)).toEqual(new Set([`nats:${inImage}-alpine`]));
  });
});

describe('the Dockerfile', () => {
  const text = readFileSync(join(ROOT, 'Dockerfile'), 'utf8');

  it('copies only what the build context holds', () => {
    const ignore = readFileSync(join(ROOT, '.dockerignore'), 'utf8');
    const sources = Array.from(text.matchAll(/^COPY (?!--from)(.*) \S+$/gm), ([, words = '']) =>
      words.split(' '),
    ).flat();
    expect(sources.length).toBeGreaterThan(5);
    for (const source of sources) expect(ignore).toContain(`!${source.replace('*', '')}\n`);
  });

  it('runs trough as a user without rights, with a health check', () => {
    expect(text).toMatch(
      /\nUSER node\n[^]*\nHEALTHCHECK [^]*\nENTRYPOINT \["node", "--max-semi-space-size=16", "\/opt\/trough\/dist\/main\.js"\]\n$/,
    );
    expect(existsSync(join(ROOT, 'bin/healthcheck.mjs'))).toBe(true);
  });
});
