'use strict';

// Modules that packages require for little.
const EventEmitter = require('events');

class AsyncResource {
  constructor(type) { Object.defineProperty(this, 'type', { value: type }); }
  runInAsyncScope(f, self, ...args) { return f.apply(self, args); }
  bind(f) { return f.bind(null); }
  emitDestroy() { return this; }
  asyncId() { return 1; }
  triggerAsyncId() { return 0; }
  static bind(f) { return f.bind(null); }
}

class AsyncLocalStorage {
  constructor() { throw new Error('AsyncLocalStorage: not available in balancer scripts'); }
}

exports.async_hooks = { AsyncResource, AsyncLocalStorage, executionAsyncId: () => 1, triggerAsyncId: () => 0 };

exports.cluster = Object.assign(new EventEmitter(), { isMaster: true, isPrimary: true, isWorker: false, workers: {}, settings: {} });

exports.performance = {
  now: () => process.uptime() * 1000,
  timeOrigin: Date.now(),
  toJSON() { return { timeOrigin: this.timeOrigin }; },
};
exports.perf_hooks = { performance: exports.performance };

exports.tty = { isatty: () => false };

exports.constants = Object.assign({}, require('os').constants.errno, require('os').constants.signals, require('fs').constants);

// The global crypto: what is random, and nothing else.
const { randomBytes, randomUUID } = require('crypto');
exports.webcrypto = {
  randomUUID: () => randomUUID(),
  getRandomValues(array) {
    new Uint8Array(array.buffer, array.byteOffset, array.byteLength).set(randomBytes(array.byteLength));
    return array;
  },
};
