'use strict';

// Begins an engine: the modules, and the functions that the event loop calls.

const builtins = new Map();
const isBuiltin = (name) => native.isModule(name.replace(/^node:/, ''));

// A module of Node's, or one that these have in common.
function builtin(asked) {
  const name = asked.replace(/^node:/, '');
  const known = builtins.get(name);
  if (known) return known.exports;
  const module = { exports: {} };
  builtins.set(name, module);
  native.builtin(name)(module.exports, builtin, module, native);
  return module.exports;
}

native.thrower((message, name, properties) => Object.assign(new globalThis[name](message), properties));
const wrapper = '(function (exports, require, module, __filename, __dirname) {'; // which counts on a file's first line
const cache = {};
let main = null;

function Module(path, parent) {
  const folder = path.replace(/[\\/][^\\/]*$/, '') || '/';
  Object.assign(this, { id: path, path: folder, exports: {}, filename: path, loaded: false });
  for (const [name, value] of [['parent', parent], ['require', requireOf(this, folder)]]) {
    Object.defineProperty(this, name, { value, writable: true, configurable: true });
  }
}

function requireOf(module, folder) {
  const require = (name) => {
    builtin('internal/errors').check(name, 'string', 'id');
    return isBuiltin(name) ? builtin(name) : file(native.resolve(folder, name), module);
  };
  require.resolve = (name, options) => {
    if (options) throw new Error('require.resolve: options: needs runtime node');
    return isBuiltin(name) ? name : native.resolve(folder, name);
  };
  return Object.assign(require, { main: main || module, cache });
}

function file(path, parent) {
  if (cache[path]) return cache[path].exports;
  const module = new Module(path, parent);
  cache[path] = module;
  try {
    const content = native.file(path, wrapper);
    if (path.endsWith('.json')) {
      module.exports = content;
    } else {
      content.call(module.exports, module.exports, module.require, module, path, module.path);
    }
  } catch (error) {
    delete cache[path]; // so that another attempt is one
    throw error;
  }
  module.loaded = true;
  return module.exports;
}

builtin('internal/globals');

// What the modules that both runtimes have in common call beside the functions of Go.
Object.assign(native, {
  later(f, ...args) {
    const before = native.work(0);
    native.startTimer(0, () => f(...args));
    native.work(before);
  },
  enter(path) {
    main = new Module(process.execPath, null);
    main.id = '.';
    return file(path, main);
  },
  words(name, text) {
    const missing = name === 'ReferenceError' && /^'(\w+)' is not defined$/.exec(text);
    if (missing) return [name, missing[1] + ' is not defined' + (native.isMissing(missing[1]) ? ': needs runtime node' : '')];
    return text === 'stack overflow' ? ['', 'too much recursion'] : [name, text];
  },
  column: (line, column) => (line === '1' && column > wrapper.length ? column - wrapper.length : column),
  told(error, event) {
    const name = process.listenerCount(event) > 0 ? event : 'uncaughtException';
    if (process.listenerCount(name) > 0) process.emit(name, error, name === event && event === 'unhandledRejection' ? undefined : event);
  },
});
const { decide, local, left, uncaught, load } = builtin('internal/balancer');

function namesOf(object) {
  const names = [];
  for (const name in object) names.push(name);
  return names;
}

const failed = (error, event) => uncaught(error, undefined, event);
for (const [name, f] of Object.entries({ load, decide, local, left, failed, exports: (name) => namesOf(builtin(name)).join() })) {
  native.entry(name, f);
}
