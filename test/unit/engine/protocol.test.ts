import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FRAME, FrameReader, FrameWriter } from '../../../src/engine/protocol.ts';
import { packParams, packValue, unpackParams, unpackValue } from '../../../src/engine/wire-values.ts';

test('frames arrive as they were sent, however the socket cuts them', () => {
  const payloads = fc.array(
    fc.oneof(
      fc.uint8Array({ maxLength: 50 }),
      fc.string({ unit: 'binary', maxLength: 50 }).filter((text) => text.isWellFormed()),
    ),
    { maxLength: 6 },
  );
  fc.assert(
    fc.property(payloads, fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 }), (sent, cuts) => {
      const written: Buffer[] = [];
      const writer = new FrameWriter((bytes) => written.push(Buffer.from(bytes)));
      sent.forEach((payload, index) => {
        writer.send(FRAME.chunk, index * 1_000_003, 'é', payload);
      });
      writer.flush();
      const bytes = Buffer.concat(written);
      const received: { call: number; text: string }[] = [];
      const reader = new FrameReader((_, call, payload) => received.push({ call, text: payload.toString('latin1') }));
      for (let at = 0, index = 0; at < bytes.length; index += 1) {
        const size = cuts[index % cuts.length] ?? 1;
        reader.push(bytes.subarray(at, at + size));
        at += size;
      }
      const expected = sent.map((payload, index) => ({
        call: index * 1_000_003,
        text: Buffer.concat([Buffer.from('é'), Buffer.from(payload as string)]).toString('latin1'),
      }));
      expect(received).toEqual(expected);
    }),
  );
});

test('the frames of one turn are one write', () => {
  let writes = 0;
  const writer = new FrameWriter(() => (writes += 1));
  for (let call = 0; call < 100; call += 1) writer.send(FRAME.credit, call, 'x');
  writer.flush();
  writer.flush();
  expect(writes).toBe(1);
});

test('every SQL value survives the way to a child', () => {
  const value = fc.oneof(
    fc.constant(null),
    fc.double(),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.string({ unit: 'binary' }),
    fc.constantFrom(-0, Infinity, -Infinity, '\ud800'),
  );
  fc.assert(
    fc.property(value, (sent) => {
      expect(unpackValue(JSON.parse(JSON.stringify(packValue(sent))) as ReturnType<typeof packValue>)).toEqual(sent);
    }),
  );
  const blob = Uint8Array.of(0, 255);
  expect(unpackParams(packParams({ a: blob, b: 1n }))).toEqual({ a: Buffer.from(blob), b: 1n });
});
