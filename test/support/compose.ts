import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';

const ROOT = join(import.meta.dirname, '../..');

const Duration = z.string().regex(/^(\d+(ms|s|m|h))+$/);
const Words = z.array(z.string().min(1)).min(1);

/** The part of the Compose Specification that our file uses; a key that is not here is refused. */
const Service = z.strictObject({
  image: z.string().regex(/^[a-z/]+:[\w.-]+$/, 'a name and a fixed version'),
  build: z.string().optional(),
  profiles: Words.optional(),
  hostname: z.string().optional(),
  restart: z.enum(['no', 'always', 'on-failure', 'unless-stopped']).optional(),
  init: z.boolean().optional(),
  command: Words,
  environment: z.record(z.string(), z.string()).optional(),
  stop_grace_period: Duration.optional(),
  configs: z.array(z.strictObject({ source: z.string(), target: z.string().startsWith('/') })).optional(),
  depends_on: z
    .union([Words, z.record(z.string(), z.strictObject({ condition: z.enum(['service_started', 'service_healthy']) }))])
    .optional(),
  healthcheck: z
    .strictObject({ test: Words, interval: Duration, timeout: Duration, start_period: Duration })
    .optional(),
  deploy: z.strictObject({ replicas: z.int().positive() }).optional(),
  volumes: z.array(z.string().regex(/^([\w-]+:)?\/[\w/-]+$/)).optional(),
  ports: z.array(z.string().regex(/^127\.0\.0\.1:(\d+)?:\d+$/, 'published on loopback')).optional(),
});
const Compose = z.strictObject({
  name: z.string(),
  services: z.record(z.string(), Service),
  configs: z.record(z.string(), z.strictObject({ file: z.string() })),
  volumes: z.record(z.string(), z.null()),
});

export type ComposeService = z.infer<typeof Service>;
export type ComposeFile = z.infer<typeof Compose>;

/** compose.yaml as Compose reads it: anchors merged, `x-` keys left out, every key known. */
export function readCompose(): ComposeFile {
  const plain = parse(readFileSync(join(ROOT, 'compose.yaml'), 'utf8'), { merge: true }) as Record<string, unknown>;
  return Compose.parse(Object.fromEntries(Object.entries(plain).filter(([key]) => !key.startsWith('x-'))));
}

/** The variables that the image sets. */
export function imageEnvironment(): Record<string, string> {
  const dockerfile = readFileSync(join(ROOT, 'Dockerfile'), 'utf8').replaceAll('\\\n', ' ');
  const lines = dockerfile.matchAll(/^ENV (.*)$/gm);
  const pairs = Array.from(lines, ([, words = '']) => words.trim().split(/\s+/)).flat();
  return Object.fromEntries(pairs.map((pair) => pair.split('=', 2) as [string, string]));
}
