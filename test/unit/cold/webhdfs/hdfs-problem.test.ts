import { describe, expect, test } from 'vitest';
import { HdfsProblem } from '../../../../src/cold/webhdfs/hdfs-problem.ts';

function remote(status: number, exception: string, message = 'because'): HdfsProblem {
  const body = Buffer.from(JSON.stringify({ RemoteException: { exception, javaClassName: 'x', message } }));
  return HdfsProblem.answered('MKDIRS /a', status, body);
}

describe('a failure of HDFS', () => {
  test.each([
    [403, 'StandbyException', '', 'elsewhere'],
    [403, 'SafeModeException', '', 'again'],
    [403, 'RetriableException', '', 'again'],
    [403, 'EOFException', '', 'again'],
    [403, 'IOException', 'Failed to find datanode, suggest to check cluster health.', 'again'],
    [403, 'IOException', 'File /a could only be written to 0 of the 1 minReplication nodes', 'again'],
    [403, 'IOException', 'Offset=7 out of the range', 'no'],
    [403, 'AccessControlException', '', 'no'],
    [403, 'DSQuotaExceededException', '', 'no'],
    [400, 'InvalidPathException', '', 'no'],
    [404, 'FileNotFoundException', '', 'no'],
  ] as const)('%d %s %j: %s', (status, exception, message, retry) => {
    expect(remote(status, exception, message)).toMatchObject({ status, exception, retry, unknown: false });
  });

  test('is absence only where HDFS itself says so', () => {
    expect(remote(404, 'FileNotFoundException').missing).toBe(true);
    expect(HdfsProblem.answered('x', 404, Buffer.from('<h1>Not Found</h1>')).missing).toBe(false);
    expect(remote(403, 'FileNotFoundException').missing).toBe(false);
  });

  test('without a word of HDFS is tried elsewhere when it is the server, and is unknown', () => {
    const page = HdfsProblem.answered('x', 503, Buffer.from('<html><h1>busy</h1></html>'));
    expect(page).toMatchObject({ retry: 'elsewhere', unknown: true, message: 'x: 503 Service Unavailable (busy)' });
    expect(HdfsProblem.answered('x', 418, Buffer.alloc(0)).retry).toBe('no');
  });

  test('of a connection that was refused is known not to have been carried out', () => {
    expect(HdfsProblem.noAnswer('x', Object.assign(new Error('r'), { code: 'ECONNREFUSED' })).unknown).toBe(false);
    expect(HdfsProblem.noAnswer('x', Object.assign(new Error('r'), { code: 'ECONNRESET' })).unknown).toBe(true);
  });

  test('loses the stack trace that a data node sends', () => {
    expect(remote(403, 'IOException', 'short\n\tat org.apache.hadoop…').message).toBe('MKDIRS /a: IOException: short');
  });
});
