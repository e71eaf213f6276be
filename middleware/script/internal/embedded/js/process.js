'use strict';

const EventEmitter = require('events');
const { checkFunction, invalidType } = require('internal/errors');

// Signals and the end of the process do not reach scripts: it is not theirs.
class Process extends EventEmitter {
  // As in Node, a rejection that nobody listens for is an exception.
  _notify(event, value) {
    const name = this.listenerCount(event) > 0 ? event : 'uncaughtException';
    this.emit(name, value, name === event && event === 'unhandledRejection' ? undefined : event);
  }
}

const process = new Process();
const started = Date.now();

// As in Node, variables are text. They are the script's own.
function environment(variables) {
  const set = (target, name, value) => {
    if (typeof value === 'symbol') throw new TypeError('Cannot convert a Symbol value to a string');
    target[name] = String(value);
    return true;
  };
  return new Proxy(variables, { set });
}

// What is printed goes to the log, line by line.
function output(fd, level) {
  const { Writable } = require('stream');
  const stream = new Writable({
    decodeStrings: false,
    write(chunk, encoding, callback) {
      for (const line of String(chunk).replace(/\n$/, '').split('\n')) console[level](line);
      callback();
    },
  });
  stream.destroy = () => stream;
  return Object.assign(stream, { fd, isTTY: false, columns: 80, rows: 24 });
}

function lazily(name, make) {
  let value;
  Object.defineProperty(process, name, { get: () => (value = value || make()), configurable: true, enumerable: true });
}

function hrtime(since = [0, 0]) {
  if (!Array.isArray(since)) throw invalidType('time', 'an instance of Array', since);
  const passed = BigInt(binding.nanoseconds()) - BigInt(since[0]) * 1000000000n - BigInt(since[1]);
  return [Number(passed / 1000000000n), Number(passed % 1000000000n)];
}
hrtime.bigint = () => BigInt(binding.nanoseconds());

// The process is Caddy's: of what it takes, no more can be told of a script.
function memoryUsage() {
  const heap = binding.heap();
  return { rss: memoryUsage.rss(), heapTotal: heap, heapUsed: heap, external: 0, arrayBuffers: 0 };
}
memoryUsage.rss = () => Number(binding.procFile('self/statm').split(' ')[1] || 0) * 4096 || binding.heap();

const unavailable = (name) => () => { throw new Error('process.' + name + ': not available here: the process is not the script\'s'); };

module.exports = Object.assign(process, binding.facts, binding.ids, {
  cwd: binding.cwd,
  nextTick(callback, ...args) {
    checkFunction(callback);
    binding.nextTick(callback, ...args);
  },
  env: environment(binding.facts.env),
  release: { name: 'node' },
  config: { variables: {} },
  features: {},
  exitCode: undefined,
  umask: () => 0o022,
  uptime: () => (Date.now() - started) / 1000,
  hrtime,
  memoryUsage,
  emitWarning: (warning) => console.warn(String(warning)),
  exit() { throw new Error('process.exit: not available here: a script cannot end the balancer'); },
  abort: unavailable('abort'),
  kill: unavailable('kill'),
  chdir: unavailable('chdir'),
});
lazily('stdout', () => output(1, 'log'));
lazily('stderr', () => output(2, 'error'));
