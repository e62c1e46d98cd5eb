import { defineConfig } from 'vitest/config';

// eslint-disable-next-line no-restricted-syntax -- vitest asks for a default export
export default defineConfig({
  test: {
    include: ['test/{unit,contract,system,simulation}/**/*.test.ts'],
    exclude: ['**/*.slow.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 30_000,
    maxWorkers: 2,
  },
});
