'use strict';

const EventEmitter = require('events');
const { checkFunction, invalidType } = require('internal/errors');
const { later } = require('internal/tasks');

// Signals and the end of the process do not reach scripts: it is not theirs.
const process = new EventEmitter();
const facts = native.process();

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
const output = (fd, level) => ({
  fd, isTTY: false, writable: true, columns: 80, rows: 24,
  write(chunk, ...args) {
    for (const line of String(chunk).replace(/\n$/, '').split('\n')) native.log(level, line);
    const callback = args.find((arg) => typeof arg === 'function');
    if (callback) process.nextTick(callback);
    return true;
  },
});

function hrtime(since = [0, 0]) {
  if (!Array.isArray(since)) throw invalidType('time', 'an instance of Array', since);
  const passed = BigInt(native.nanoseconds()) - BigInt(since[0]) * 1000000000n - BigInt(since[1]);
  return [Number(passed / 1000000000n), Number(passed % 1000000000n)];
}
hrtime.bigint = () => BigInt(native.nanoseconds());

// The process is Caddy's: of what it takes, no more can be told of a script.
function memoryUsage() {
  const heap = native.heap();
  return { rss: memoryUsage.rss(), heapTotal: heap, heapUsed: heap, external: 0, arrayBuffers: 0 };
}
memoryUsage.rss = () => Number(native.procFile('self/statm').split(' ')[1] || 0) * 4096 || native.heap();

const unavailable = (name) => () => { throw new Error('process.' + name + ': not available here: the process is not the script\'s'); };

module.exports = Object.assign(process, facts, {
  cwd: native.cwd,
  nextTick(callback, ...args) {
    checkFunction(callback);
    later(callback, args);
  },
  env: environment(facts.env),
  stdout: output(1, 'info'),
  stderr: output(2, 'error'),
  release: { name: 'node' },
  config: { variables: {} },
  features: {},
  exitCode: undefined,
  umask: () => 0o022,
  uptime: () => Number(native.nanoseconds()) / 1e9,
  hrtime,
  memoryUsage,
  getuid: () => native.system().uid,
  getgid: () => native.system().gid,
  emitWarning: (warning) => console.warn(String(warning)),
  exit() { throw new Error('process.exit: not available here: a script cannot end the balancer'); },
  abort: unavailable('abort'),
  kill: unavailable('kill'),
  chdir: unavailable('chdir'),
});
