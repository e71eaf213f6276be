'use strict';

// What Node has as globals, beside what the engine brings.
const hidden = (name, value) => Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });

require('internal/stacks');
hidden('global', globalThis);
hidden('process', require('process'));
hidden('console', require('console'));

const timers = require('timers');
for (const name of ['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'clearImmediate']) hidden(name, timers[name]);

const { checkFunction } = require('internal/errors');
hidden('queueMicrotask', (callback) => {
  checkFunction(callback);
  Promise.resolve().then(callback);
});
hidden('performance', { now: () => Number(process.hrtime.bigint()) / 1e6, timeOrigin: Date.now() });
delete globalThis.Atomics;
delete globalThis.SharedArrayBuffer;

// Few scripts need these, so they are loaded when one does.
const lazily = (name, module) => Object.defineProperty(globalThis, name, {
  get() {
    hidden(name, require(module)[name]);
    return globalThis[name];
  },
  set(value) { hidden(name, value); },
  configurable: true,
  enumerable: false,
});
lazily('Buffer', 'buffer');
for (const name of ['URL', 'URLSearchParams']) lazily(name, 'url');
