'use strict';

// What Node has as globals, beside what the engine brings.
const hide = (object, name, value) => Object.defineProperty(object, name, { value, writable: true, configurable: true, enumerable: false });
const hidden = (name, value) => hide(globalThis, name, value);

// Stacks begin with the error's name and message, as V8 has them when the stack is asked for, since constructors set these afterwards.
function putStack(object, stack) {
  const lines = stack.split('\n');
  const calls = lines.slice(lines.findLastIndex((line) => line.includes('node:internal/globals')) + 1);
  return Object.defineProperty(object, 'stack', {
    get: () => [Error.prototype.toString.call(object), ...calls].join('\n').trimEnd(),
    set: (value) => hide(object, 'stack', value),
    configurable: true,
    enumerable: false,
  });
}

const headed = {
  construct(Type, args, target) {
    const error = Reflect.construct(Type, args, target);
    return putStack(error, error.stack);
  },
  apply: (Type, self, args) => headed.construct(Type, args, Type),
};

for (const Type of [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, AggregateError]) {
  hidden(Type.name, new Proxy(Type, headed));
  hide(Type.prototype, 'constructor', globalThis[Type.name]);
}
Error.captureStackTrace = (object) => { putStack(object, new Error().stack); };
Error.stackTraceLimit = 10;

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
hidden('performance', { now: () => native.nanoseconds() / 1e6, timeOrigin: Date.now() });

// There is no Intl, so a script that asks for a certain way of writing or comparing gets an error.
for (const [prototype, ...names] of [[String.prototype, 'localeCompare'], [Number.prototype, 'toLocaleString'],
  [Date.prototype, 'toLocaleString', 'toLocaleDateString', 'toLocaleTimeString']]) {
  for (const name of names) {
    const plain = prototype[name];
    hide(prototype, name, function (...args) {
      if (args.length > plain.length + 1) throw new Error(name + ': options: needs runtime node');
      return plain.apply(this, args);
    });
  }
}

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
