import { defineConfig } from 'vitest/config';

// eslint-disable-next-line no-restricted-syntax -- vitest asks for a default export
export default defineConfig({
  test: {
    include: ['test/e2e/**/*.test.ts', 'test/**/*.slow.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Each test starts whole clusters of processes, and waits for most of its time.
    maxWorkers: 2,
  },
});
