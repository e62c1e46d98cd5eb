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
  pendingBytes: 0,
  leftMs: null,
  leases: 0,
  load: 0.5,
  beatAgeMs: 3,
  drain: null,
  damaged: 0,
  lostFiles: 0,
  unfetchable: null,
};
const status = {
  leader: { node: 'n1', term: 3 },
  nodes: [node],
  segments: { hot: 1, cold: 0, writable: 0, hotBytes: 5, coldBytes: 0 },
  placement: {
    epoch: 1,
    underReplicated: 0,
    slotsUnderReplicated: 0,
    moves: 0,
    waiting: 0,
    leftMs: null,
    overQuota: [],
  },
  rules: { segments: 0, hot: 0, short: [] },
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

  it('sets, removes and lists rules of single segments', async () => {
    const asked: unknown[] = [];
    const rule: Control['rule'] = (request) => {
      asked.push(request);
      return Promise.resolve({ rules: [], changed: true });
    };
    await using server = await manager({ rule });
    await askJson(server, '/v1/segments/s1/rule', { copies: 3 });
    await ask(server, '/v1/segments/s1/rule', { method: 'DELETE' });
    expect(JSON.parse((await ask(server, '/v1/rules', { method: 'GET' })).body)).toEqual({ rules: [], changed: true });
    expect(asked).toEqual([{ op: 'set', segment: 's1', copies: 3 }, { op: 'remove', segment: 's1' }, { op: 'list' }]);
    for (const body of [{ copies: 0 }, { tier: 'warm' }, { nosuch: 1 }])
      expect((await askJson(server, '/v1/segments/s1/rule', body)).status).toBe(400);
  });

  it('shows status and nodes', async () => {
    await using server = await manager({ status: () => Promise.resolve(status) });
    expect(JSON.parse((await ask(server, '/v1/status', { method: 'GET' })).body)).toEqual(status);
    expect(JSON.parse((await ask(server, '/v1/nodes', { method: 'GET' })).body)).toEqual({ nodes: [node] });
  });

  it('plans without and with nodes, and refuses what is none', async () => {
    const asked: unknown[] = [];
    const rate = { basis: 'assumed' as const, copiesPerSecond: 1, bytesPerSecond: 1 };
    const answer = { nodes: [], moves: { places: 0, slots: 0, copies: 0, bytes: 0 }, ms: 0, rate, notes: [] };
    const plan: Control['plan'] = (request) => {
      asked.push(request);
      return Promise.resolve(answer);
    };
    await using server = await manager({ plan });
    const get = (query: string): ReturnType<typeof ask> => ask(server, `/v1/plan${query}`, { method: 'GET' });
    expect(JSON.parse((await get('')).body)).toEqual(answer);
    await get('?without=n1,n2&with=n8:1GB,n9:500GB:r2');
    expect(asked).toEqual([
      { without: [], with: [] },
      {
        without: ['n1', 'n2'],
        with: [
          { node: 'n8', quotaBytes: 1e9, zone: 'default' },
          { node: 'n9', quotaBytes: 500e9, zone: 'r2' },
        ],
      },
    ]);
    for (const bad of ['n9', 'n9:', 'n9:5', 'n9:0B', ':1GB', 'n9:1GB:', 'n9:1GB:a:b'])
      expect((await get(`?with=${bad}`)).status, bad).toBe(400);
    expect(asked).toHaveLength(2);
  });

  it('drains a node and takes it back', async () => {
    const asked: unknown[] = [];
    const drain: Control['drain'] = (request) => {
      asked.push(request);
      return Promise.resolve({ node: request.node, sinceMs: request.op === 'drain' ? 5 : null, changed: true });
    };
    await using server = await manager({ drain });
    expect(JSON.parse((await askJson(server, '/v1/drain', { node: 'n3' })).body)).toEqual({
      node: 'n3',
      sinceMs: 5,
      changed: true,
    });
    await askJson(server, '/v1/undrain', { node: 'n3' });
    expect(asked).toEqual([
      { op: 'drain', node: 'n3' },
      { op: 'undrain', node: 'n3' },
    ]);
    expect((await askJson(server, '/v1/drain', {})).status).toBe(400);
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
