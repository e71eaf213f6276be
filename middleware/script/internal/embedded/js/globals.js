'use strict';

// What Node has as globals, beside what the engine brings.
const hidden = (name, value) =>
  Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });

// The engine has no async iteration of its own; what scripts write of it is rewritten to use this.
Object.defineProperty(Symbol, 'asyncIterator', { value: Symbol.asyncIterator || Symbol('Symbol.asyncIterator') });

hidden('global', globalThis);
hidden('process', require('process'));
hidden('console', require('console'));

for (const name of ['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'clearImmediate']) {
  hidden(name, require('timers')[name]);
}
hidden('queueMicrotask', (callback) => {
  require('internal/errors').checkFunction(callback);
  Promise.resolve().then(callback);
});

const { Buffer } = require('buffer');
const { URL, URLSearchParams } = require('url');
const { TextEncoder, TextDecoder } = require('util');
hidden('Buffer', Buffer);
hidden('URL', URL);
hidden('URLSearchParams', URLSearchParams);
hidden('TextEncoder', TextEncoder);
hidden('TextDecoder', TextDecoder);
hidden('performance', require('perf_hooks').performance);
hidden('crypto', require('internal/small').webcrypto);

for (const [name, value] of Object.entries(require('internal/web'))) {
  hidden(name, value);
}
require('internal/stacks');
require('internal/legacy');
require('internal/locale');
