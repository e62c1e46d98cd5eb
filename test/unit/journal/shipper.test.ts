import { type MsgHdrs } from 'nats';
import { describe, expect, it } from 'vitest';
import { type Letter, type Outcome } from '../../../src/journal/jetstream/journal-api.ts';
import { type Answer } from '../../../src/journal/jetstream/requests.ts';
import { Shipper } from '../../../src/journal/jetstream/shipper.ts';
import { eventually } from '../../support/eventually.ts';

interface Sent {
  /** Messages of one batch, or a single one. */
  readonly subjects: string[];
  readonly kind: 'single' | 'batch';
  readonly answer: (said: object | Outcome) => void;
}

/** A server that keeps what comes and answers when the test says so. */
function fixture() {
  const sent: Sent[] = [];
  let open: { id: string; subjects: string[] } | undefined;
  const collect = (subject: string, headers: MsgHdrs | undefined): { id: string; subjects: string[] } => {
    const id = headers?.get('Nats-Batch-Id') ?? '';
    if (open?.id !== id) open = { id, subjects: [] };
    open.subjects.push(subject);
    expect(headers?.get('Nats-Batch-Sequence')).toBe(String(open.subjects.length));
    return open;
  };
  const shipper = new Shipper({
    publish: (letter) =>
      new Promise((resolve) => {
        sent.push({
          kind: 'single',
          subjects: [letter.subject],
          answer: (said) => {
            resolve(said as Outcome);
          },
        });
      }),
    requests: {
      tell: (subject, _body, headers) => {
        collect(subject, headers);
        return undefined;
      },
      ask: (subject, _body, _timeoutMs, headers) => {
        const { id, subjects } = collect(subject, headers);
        expect(headers?.get('Nats-Batch-Commit')).toBe('1');
        return new Promise<Answer>((resolve) => {
          sent.push({
            ...{ kind: 'batch', subjects },
            answer: (said) => {
              const lost = { kind: 'none', reason: 'no answer', arrived: true } as const;
              const message = { json: () => ({ batch: id, ...said }) } as never;
              resolve('kind' in said ? lost : { kind: 'answer', message });
            },
          });
        });
      },
    },
  });
  return { shipper, sent, kinds: () => sent.map(({ kind, subjects }) => `${kind} ${String(subjects.length)}`) };
}

let letters = 0;
function letter(sizeBytes = 100, expected = 0): Letter {
  letters += 1;
  const name = `k${String(letters)}`;
  return {
    key: { stream: '1', name },
    subject: name,
    messageId: `${name}.1`,
    expected,
    body: Buffer.from('x'),
    sizeBytes,
  };
}
const ship = (shipper: Shipper, count: number, sizeBytes?: number): Promise<Outcome>[] =>
  Array.from({ length: count }, () => shipper.ship(letter(sizeBytes)));

describe('the shipper', () => {
  it('sends few letters singly and eight as one batch, whose sequences are consecutive', async () => {
    const few = fixture();
    void Promise.all(ship(few.shipper, 7));
    await eventually('they left', () => few.sent.length === 7);
    expect(new Set(few.kinds())).toEqual(new Set(['single 1']));
    const many = fixture();
    const outcomes = Promise.all(ship(many.shipper, 8));
    await eventually('they left', () => many.sent.length === 1);
    expect(many.kinds()).toEqual(['batch 8']);
    many.sent[0]?.answer({ seq: 108, count: 8 });
    expect(await outcomes).toEqual(
      Array.from({ length: 8 }, (_, index) => ({ kind: 'stored', sequence: 101 + index })),
    );
  });

  it('collects what comes while a batch is under way', async () => {
    const { shipper, sent, kinds } = fixture();
    const first = Promise.all(ship(shipper, 8));
    await eventually('the first left', () => sent.length === 1);
    const second = Promise.all(ship(shipper, 20));
    sent[0]?.answer({ seq: 8, count: 8 });
    await first;
    await eventually('the second left', () => sent.length === 2);
    expect(kinds()).toEqual(['batch 8', 'batch 20']);
    sent[1]?.answer({ seq: 28, count: 20 });
    await second;
  });

  it('collects while single ones are under way, so that many become a batch', async () => {
    const { shipper, sent, kinds } = fixture();
    void Promise.all(ship(shipper, 5));
    await eventually('they left', () => sent.length === 5);
    void Promise.all(ship(shipper, 4));
    void Promise.all(ship(shipper, 4));
    await eventually('the others left', () => sent.length === 6);
    expect(kinds()[5]).toBe('batch 8');
  });

  it('sends the letters of a refused batch again, singly, so that a stale one fails alone', async () => {
    const { shipper, sent, kinds } = fixture();
    const outcomes = Promise.all(ship(shipper, 8));
    await eventually('the batch left', () => sent.length === 1);
    sent[0]?.answer({ error: { code: 400, err_code: 10071, description: 'wrong last sequence: 5' }, seq: 0 });
    await eventually('they went again', () => sent.length === 9);
    expect(new Set(kinds().slice(1))).toEqual(new Set(['single 1']));
    for (const [index, { answer }] of sent.slice(1).entries()) {
      answer(index === 3 ? { kind: 'refused' } : { kind: 'stored', sequence: 10 + index });
    }
    expect((await outcomes).map(({ kind }) => kind).filter((kind) => kind === 'stored')).toHaveLength(7);
  });

  it('knows nothing of a batch whose answer is lost, or that is said to be of another length', async () => {
    for (const said of [
      { kind: 'unknown', reason: '', arrived: true } as Outcome,
      { seq: 7, count: 7 },
      { seq: 8, count: 8, batch: 'other' },
    ]) {
      const { shipper, sent } = fixture();
      const outcomes = Promise.all(ship(shipper, 8));
      await eventually('the batch left', () => sent.length === 1);
      sent[0]?.answer(said);
      for (const outcome of await outcomes) expect(outcome).toMatchObject({ kind: 'unknown', arrived: true });
    }
  });

  it('keeps batches small enough for the server', async () => {
    const { shipper, sent, kinds } = fixture();
    void Promise.all(ship(shipper, 600));
    await eventually('the first left', () => sent.length === 1);
    expect(kinds()).toEqual(['batch 512']);
    const large = fixture();
    void Promise.all(ship(large.shipper, 12, 1_000_000));
    await eventually('the first left', () => large.sent.length === 1);
    expect(large.kinds()).toEqual(['batch 4']);
  });

  it('takes back what has not left', async () => {
    const { shipper, sent, kinds } = fixture();
    void Promise.all(ship(shipper, 8));
    await eventually('the batch left', () => sent.length === 1);
    const late = letter();
    void shipper.ship(late);
    expect(shipper.withdraw(late)).toBe(true);
    expect(shipper.withdraw(late)).toBe(false);
    const next = letter();
    void shipper.ship(next);
    sent[0]?.answer({ seq: 8, count: 8 });
    await eventually('the next left', () => sent.length === 2);
    expect(kinds()).toEqual(['batch 8', 'single 1']);
    expect(sent[1]?.subjects).toEqual([next.subject]);
  });
});
