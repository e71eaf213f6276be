'use strict';

const EventEmitter = require('events');
const { checkFunction } = require('internal/errors');
const { later } = require('internal/tasks');

// Signals and the end of the process do not reach scripts: it is not theirs.
const process = new EventEmitter();
const facts = native.process();

// As in Node, variables are text. They are the script's own.
const env = new Proxy(facts.env, {
  set(target, name, value) {
    target[name] = '' + value;
    return true;
  },
});

// What is printed goes to the log, line by line.
const output = (fd, level) => ({
  fd, isTTY: false, writable: true,
  write(chunk, ...args) {
    for (const line of String(chunk).replace(/\n$/, '').split('\n')) native.log(level, line);
    const callback = args.find((arg) => typeof arg === 'function');
    if (callback) process.nextTick(callback);
    return true;
  },
});

function hrtime(since = [0, 0]) {
  const passed = BigInt(native.nanoseconds()) - BigInt(since[0]) * 1000000000n - BigInt(since[1]);
  return [Number(passed / 1000000000n), Number(passed % 1000000000n)];
}
hrtime.bigint = () => BigInt(native.nanoseconds());

module.exports = Object.assign(process, facts, {
  env,
  release: { name: 'node' },
  hrtime,
  cwd: native.cwd,
  nextTick(callback, ...args) {
    checkFunction(callback);
    later(callback, args);
  },
  stdout: output(1, 'info'),
  stderr: output(2, 'error'),
  uptime: () => Number(native.nanoseconds()) / 1e9,
  exit() { throw new Error('process.exit: not available here: a script cannot end the balancer'); },
});
