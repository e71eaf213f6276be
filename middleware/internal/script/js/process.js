'use strict';

const EventEmitter = require('events');
const { checkFunction } = require('internal/errors');

// Events of the process itself do not reach scripts: it is not theirs.
class Process extends EventEmitter {}

const process = new Process();
const started = Date.now();

module.exports = Object.assign(process, binding.facts, {
  cwd: binding.cwd,
  nextTick(callback, ...args) {
    checkFunction(callback);
    binding.nextTick(callback, ...args);
  },
  uptime: () => (Date.now() - started) / 1000,
  hrtime: Object.assign(
    (since = [0, 0]) => {
      const now = binding.nanoseconds();
      const from = BigInt(since[0]) * 1000000000n + BigInt(since[1]);
      const passed = BigInt(now) - from;
      return [Number(passed / 1000000000n), Number(passed % 1000000000n)];
    },
    { bigint: () => BigInt(binding.nanoseconds()) },
  ),
  memoryUsage: () => ({ rss: 0, heapTotal: 0, heapUsed: 0, external: 0, arrayBuffers: 0 }),
  emitWarning: (warning) => console.warn(String(warning)),
  exit() { throw new Error('process.exit: not available here: a script cannot end the balancer'); },
  kill() { throw new Error('process.kill: not available here'); },
  chdir() { throw new Error('process.chdir: not available here'); },
});
