'use strict';

const { checkFunction } = require('internal/errors');

const custom = Symbol.for('nodejs.util.inspect.custom');
const promisified = Symbol.for('nodejs.util.promisify.custom');
const most = 100; // objects in each other, and items of a list, that are written

// Writes a value for people. The older way of calling it has the depth as the third argument.
function inspect(value, options, depth = 2) {
  const wanted = Object(options) === options && options.depth !== undefined ? options.depth : depth;
  return write(value, wanted === null ? most : Math.min(wanted, most), []);
}
inspect.custom = custom;

const quote = (text) => "'" + JSON.stringify(text).slice(1, -1).replace(/\\"/g, '"').replace(/'/g, "\\'") + "'";

// above are the objects that the value is in.
function write(value, depth, above) {
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'bigint') return value + 'n';
  if (typeof value === 'function') return '[Function: ' + (value.name || '(anonymous)') + ']';
  if (Object(value) !== value || value instanceof RegExp) return String(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  if (typeof value[custom] === 'function') {
    const own = value[custom](depth, { depth }, inspect);
    return typeof own === 'string' ? own : write(own, depth, above);
  }
  if (above.includes(value)) return '[Circular]';
  if (depth < 0) return '[' + nameOf(value) + ']';
  return writeMembers(value, (member) => write(member, depth - 1, [...above, value]));
}

function nameOf(value) {
  if (Object.getPrototypeOf(value) === null) return '[Object: null prototype]';
  return (value.constructor && value.constructor.name) || 'Object';
}

// The stack of an error that the engine has made does not begin with its message.
function stackOf(error) {
  const stack = String(error.stack);
  return stack.includes(error.message) ? stack : String(error) + '\n' + stack.trimEnd();
}

function writeMembers(value, item) {
  const isList = Array.isArray(value) || ArrayBuffer.isView(value);
  const isMap = value instanceof Map;
  const isSized = isMap || value instanceof Set || isList;
  const all = isSized ? Array.from(value) : [];
  const items = all.slice(0, most).map(isMap ? ([key, one]) => item(key) + ' => ' + item(one) : (one) => item(one));
  if (all.length > most) items.push('... ' + (all.length - most) + ' more items');
  for (const [key, { get, value: own }] of isList ? [] : Object.entries(Object.getOwnPropertyDescriptors(value))) {
    if (Object.prototype.propertyIsEnumerable.call(value, key)) items.push((/^[\w$]+$/.test(key) ? key : quote(key)) + ': ' + (get ? '[Getter]' : item(own)));
  }
  if (value instanceof Error && items.length === 0) return stackOf(value);
  const [open, close] = isList ? ['[', ']'] : ['{', '}'];
  const text = items.length === 0 ? open + close : open + ' ' + items.join(', ') + ' ' + close;
  const name = value instanceof Error ? stackOf(value) : nameOf(value);
  return name === 'Array' || name === 'Object' ? text : name + (isSized ? '(' + all.length + ') ' : ' ') + text;
}

const conversions = {
  s: (value) => (typeof value === 'string' ? value : inspect(value, { depth: 0 })),
  d: Number, i: parseInt, f: parseFloat, o: inspect, O: inspect, c: () => '',
  j(value) {
    try {
      return JSON.stringify(value);
    } catch (error) {
      return '[Circular]';
    }
  },
};
const asText = (value) => (typeof value === 'string' ? value : inspect(value));

function format(...args) {
  if (typeof args[0] !== 'string' || args.length === 1) return args.map(asText).join(' ');
  const [pattern, ...rest] = args;
  const text = pattern.replace(/%([sdifjoOc%])/g, (mark, kind) => {
    if (kind === '%') return '%';
    return rest.length > 0 ? conversions[kind](rest.shift()) : mark;
  });
  return [text, ...rest.map(asText)].join(' ');
}

function inherits(constructor, parent) {
  Object.defineProperty(constructor, 'super_', { value: parent, writable: true, configurable: true });
  Object.setPrototypeOf(constructor.prototype, parent.prototype);
}

function promisify(original) {
  checkFunction(original, 'original');
  if (original[promisified]) return original[promisified];
  return function promised(...args) {
    return new Promise((resolve, reject) => {
      original.call(this, ...args, (error, value) => (error ? reject(error) : resolve(value)));
    });
  };
}
promisify.custom = promisified;

module.exports = {
  inspect, format, inherits, promisify,
  deprecate: (original) => original, // what a package thinks of its functions is none of a log's
  debuglog: () => Object.assign(() => {}, { enabled: false }),
};
