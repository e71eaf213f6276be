'use strict';

const EventEmitter = require('events');
const { checkFunction } = require('internal/errors');
const { later } = require('internal/tasks');

// What is printed goes to the log, line by line.
const output = (fd, level) => ({
  fd, isTTY: false, writable: true,
  write(chunk, ...args) {
    for (const line of String(chunk).replace(/\n$/, '').split('\n')) native.log(level, line);
    const callback = args.pop();
    if (typeof callback === 'function') later(callback, []);
    return true;
  },
});

function hrtime(since = [0, 0]) {
  const passed = native.nanoseconds() - since[0] * 1e9 - since[1];
  return [Math.floor(passed / 1e9), passed % 1e9];
}
hrtime.bigint = () => BigInt(native.nanoseconds());

const { environ, execPath, pid, ppid, platform, arch } = native.system();

const env = Object.fromEntries(environ.map((pair) => [pair, pair.indexOf('=', 1)]).map(([pair, at]) => [pair.slice(0, at), pair.slice(at + 1)]));
const { TZ } = env;
Object.defineProperty(env, 'TZ', {
  get: () => TZ, set() { throw new Error('process.env.TZ: another time zone: needs runtime node'); }, configurable: true, enumerable: TZ !== undefined,
});

// Signals and the end of the process do not reach scripts: it is not theirs.
module.exports = Object.assign(new EventEmitter(), {
  execPath, pid, ppid, platform, arch,
  argv: ['node', execPath],
  env,
  version: 'v20.0.0', // the Node whose ways scripts find
  versions: { node: '20.0.0' },
  release: { name: 'node' },
  hrtime,
  cwd: native.cwd,
  nextTick(callback, ...args) {
    checkFunction(callback);
    later(callback, args);
  },
  stdout: output(1, 'info'),
  stderr: output(2, 'error'),
  uptime: () => native.nanoseconds() / 1e9,
  exit() { throw new Error('process.exit: not available here: a script cannot end the balancer'); },
});
