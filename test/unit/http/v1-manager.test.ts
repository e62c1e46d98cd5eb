import { describe, expect, it } from 'vitest';
import { TroughError } from '../../../src/errors.ts';
import { managerRoutes } from '../../../src/http/manager-routes.ts';
import { type Control } from '../../../src/messages/control.ts';
import { ask, askJson, fakeControl, log, serve } from './fixture.ts';

function manager(verbs: Partial<Control>): ReturnType<typeof serve> {
  return serve(managerRoutes({ control: fakeControl(verbs), log }));
}

const node = {
  node: 'n1',
  zone: 'z',
  roles: ['reader'],
  state: 'alive' as const,
  quotaBytes: 1,
  storedBytes: 1,
  copies: 1,
  pending: 0,
  leases: 0,
  load: 0.5,
  beatAgeMs: 3,
};
const status = {
  leader: { node: 'n1', term: 3 },
  nodes: [node],
  segments: { hot: 1, cold: 0, writable: 0 },
  placement: { epoch: 1, underReplicated: 0 },
};

describe('the /v1 face of the manager', () => {
  it('provisions with and without a body', async () => {
    const asked: unknown[] = [];
    const provision: Control['provision'] = (request) => {
      asked.push(request);
      return Promise.resolve({
        segment: request.segment,
        node: 'n1',
        writeUrl: 'u',
        sizeBytes: 1,
        schema: 'default',
        created: true,
      });
    };
    await using server = await manager({ provision });
    await ask(server, '/v1/segments/s1/provision');
    const got = await askJson(server, '/v1/segments/s1/provision', { schema: 'q' });
    expect(asked).toEqual([{ segment: 's1' }, { segment: 's1', schema: 'q' }]);
    expect(JSON.parse(got.body)).toMatchObject({ segment: 's1', writeUrl: 'u', created: true });
    expect((await askJson(server, '/v1/segments/s1/provision', { nosuch: 1 })).status).toBe(400);
  });

  it('promotes and releases', async () => {
    await using server = await manager({
      promote: ({ segment }) => Promise.resolve({ segment, version: 7, sizeBytes: 1, sha256: 'x', path: '/p' }),
      release: ({ segment }) => Promise.resolve({ segment, version: 8 }),
    });
    expect(JSON.parse((await ask(server, '/v1/segments/s1/promote')).body)).toMatchObject({
      segment: 's1',
      version: 7,
    });
    expect(JSON.parse((await ask(server, '/v1/segments/s1/release')).body)).toEqual({ segment: 's1', version: 8 });
  });

  it('shreds, by force when asked', async () => {
    const asked: unknown[] = [];
    const shred: Control['shred'] = (request) => {
      asked.push(request);
      return Promise.resolve({ segment: request.segment });
    };
    await using server = await manager({ shred });
    expect((await ask(server, '/v1/segments/s1', { method: 'DELETE' })).status).toBe(204);
    expect((await ask(server, '/v1/segments/s1?force=true', { method: 'DELETE' })).status).toBe(204);
    expect(asked).toEqual([
      { segment: 's1', force: false },
      { segment: 's1', force: true },
    ]);
    expect((await ask(server, '/v1/segments/s1?force=maybe', { method: 'DELETE' })).status).toBe(400);
  });

  it('lists segments by the page', async () => {
    const asked: unknown[] = [];
    const segments: Control['segments'] = (request) => {
      asked.push(request);
      return Promise.resolve({ segments: [], next: 'b' });
    };
    await using server = await manager({ segments });
    await ask(server, '/v1/segments', { method: 'GET' });
    const got = await ask(server, '/v1/segments?matching=%5Ea&tier=hot&after=a&limit=2', { method: 'GET' });
    expect(asked).toEqual([{ limit: 1000 }, { matching: '^a', tier: 'hot', after: 'a', limit: 2 }]);
    expect(JSON.parse(got.body)).toEqual({ segments: [], next: 'b' });
    expect((await ask(server, '/v1/segments?limit=x', { method: 'GET' })).status).toBe(400);
    expect((await ask(server, '/v1/segments?limit=0', { method: 'GET' })).status).toBe(400);
  });

  it('shows status and nodes', async () => {
    await using server = await manager({ status: () => Promise.resolve(status) });
    expect(JSON.parse((await ask(server, '/v1/status', { method: 'GET' })).body)).toEqual(status);
    expect(JSON.parse((await ask(server, '/v1/nodes', { method: 'GET' })).body)).toEqual({ nodes: [node] });
  });

  it('names the methods of a path, and the port of a route that is elsewhere', async () => {
    await using server = await manager({});
    const wrong = await ask(server, '/v1/segments/s1', { method: 'PUT' });
    expect([wrong.status, wrong.headers.allow]).toEqual([405, 'DELETE, GET, HEAD']);
    const elsewhere = await ask(server, '/v1/segments/s1/query');
    expect([elsewhere.status, elsewhere.headers['trough-error']]).toEqual([404, 'ROUTE_UNKNOWN']);
    expect(elsewhere.body).toContain('the read port serves it');
  });

  it('answers an unknown segment with 404', async () => {
    await using server = await manager({
      segment: () => Promise.reject(new TroughError('SEGMENT_UNKNOWN', 'no', { segment: 's1' })),
    });
    const got = await ask(server, '/v1/segments/s1', { method: 'GET' });
    expect([got.status, JSON.parse(got.body)]).toEqual([
      404,
      { error: { code: 'SEGMENT_UNKNOWN', message: 'no', context: { segment: 's1' } } },
    ]);
  });
});
