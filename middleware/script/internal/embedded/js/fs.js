'use strict';

const EventEmitter = require('events');
const { invalidType, checkFunction } = require('internal/errors');
const { promised, withCallback } = require('internal/tasks');

// What is known of a file, or of an entry of a folder. Its type is a number of Go's, io/fs.FileMode.
class Entry {
  #type;
  constructor({ type, ...facts }) {
    Object.assign(this, facts);
    this.#type = type;
  }
  isFile() { return this.#type === 0; }
  isDirectory() { return this.#type === 2 ** 31; }
  isSymbolicLink() { return this.#type === 2 ** 27; }
}

const statsOf = ({ mtimeMs, ...facts }) => new Entry({ ...facts, mtimeMs, mtime: new Date(mtimeMs) });

function nameOf(path) {
  if (typeof path === 'string') return path;
  if (path instanceof URL) return require('url').fileURLToPath(path);
  throw invalidType('path', 'of type string or an instance of URL');
}

// Each operation gives the system call by which Node names it in errors, the file, what to make of the answer, and how.
const operations = {
  readFile(path, options) {
    const encoding = Object(options) === options ? options.encoding : options;
    return ['open', path, (data) => (encoding ? Buffer.from(data).toString(encoding) : Buffer.from(data))];
  },
  access(path, mode = 0) {
    if ((mode | exports.constants.R_OK) !== exports.constants.R_OK) throw new Error('fs.access: whether a file may be written or run: needs runtime node');
    return ['access', path, () => undefined, mode !== 0];
  },
  readdir(path, options) {
    if (options && options.recursive) throw new Error('fs.readdir: recursive: needs runtime node');
    const entryOf = (entry) => (options && options.withFileTypes ? new Entry({ ...entry, path, parentPath: path }) : entry.name);
    return ['scandir', path, (list) => list.map(entryOf)];
  },
  stat: (path) => ['stat', path, statsOf],
};

exports.promises = {};
for (const [name, operation] of Object.entries(operations)) {
  exports[name + 'Sync'] = (...args) => {
    const [call, path, result, option] = operation(...args);
    return result(native.fileSync(call, nameOf(path), option));
  };
  exports.promises[name] = async (...args) => {
    const [call, path, result, option] = operation(...args);
    return result(await promised((done) => native.fileAsync(call, nameOf(path), option, done)));
  };
  exports[name] = withCallback(exports.promises[name]);
}
exports.existsSync = (path) => {
  try {
    exports.statSync(path);
    return true;
  } catch (error) {
    return false;
  }
};
exports.exists = (path, callback) => {
  checkFunction(callback);
  setImmediate(callback, exports.existsSync(path));
};
exports.exists[Symbol.for('nodejs.util.promisify.custom')] = async (path) => exports.existsSync(path);
exports.constants = { F_OK: 0, R_OK: 4, W_OK: 2, X_OK: 1 };

class Watcher extends EventEmitter {
  ref() { return this; }
  unref() { return this; }
}

exports.watch = (path, options, listener = options) => {
  const watcher = new Watcher();
  const number = native.watch(nameOf(path), (error, ...change) => (error ? watcher.emit('error', error) : watcher.emit('change', ...change)));
  watcher.close = () => native.unwatch(number);
  return typeof listener === 'function' ? watcher.on('change', listener) : watcher;
};

const nothing = statsOf({ size: 0, mtimeMs: 0 });
const watched = new Map();

function poll(path, interval = 5007) {
  const watcher = new Watcher();
  let before = exports.existsSync(path) ? exports.statSync(path) : nothing;
  watcher.timer = setInterval(() => exports.stat(path, (error, now = nothing) => {
    const last = before;
    before = now;
    if (now.mtimeMs !== last.mtimeMs || now.size !== last.size) watcher.emit('change', now, last);
  }), interval);
  return watcher;
}

exports.watchFile = (path, options, listener = options) => {
  checkFunction(listener, 'listener');
  const key = require('path').resolve(nameOf(path));
  if (!watched.has(key)) watched.set(key, poll(key, options.interval));
  return watched.get(key).on('change', listener);
};

exports.unwatchFile = (path, listener) => {
  const key = require('path').resolve(nameOf(path));
  const watcher = watched.get(key);
  if (!watcher) return;
  if (listener) watcher.removeListener('change', listener);
  if (listener && watcher.listenerCount('change') > 0) return;
  clearInterval(watcher.timer);
  watched.delete(key);
};
