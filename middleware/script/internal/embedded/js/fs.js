'use strict';

const EventEmitter = require('events');
const { invalidType, invalidValue, checkFunction } = require('internal/errors');
const { wait, stop, promised } = require('internal/tasks');

const kinds = {
  isFile: 'file', isDirectory: 'directory', isSymbolicLink: 'link', isSocket: 'socket', isFIFO: 'fifo', isBlockDevice: 'block', isCharacterDevice: 'character',
};

// What is asked for the kind of a file: its facts, or an entry of a folder.
class Entry {
  constructor({ kind, ...facts }) {
    Object.assign(this, facts);
    for (const name of ['atime', 'mtime', 'ctime', 'birthtime']) if (name + 'Ms' in facts) this[name] = new Date(facts[name + 'Ms']);
    Object.defineProperty(this, 'kind', { value: kind });
  }
}
for (const [method, kind] of Object.entries(kinds)) Object.defineProperty(Entry.prototype, method, { value() { return this.kind === kind; } });
class Stats extends Entry {}
class Dirent extends Entry {}

function name(path) {
  if (path instanceof URL) return require('url').fileURLToPath(path);
  if (typeof path !== 'string' && !Buffer.isBuffer(path)) throw invalidType('path', 'of type string or an instance of Buffer or URL', path);
  const text = String(path);
  if (text.includes('\0')) throw invalidValue('path', text, 'must be a string, Buffer, or URL without null bytes');
  return text;
}

function encodingOf(options) {
  const encoding = options && typeof options === 'object' ? options.encoding : options;
  if (encoding && !Buffer.isEncoding(encoding)) throw invalidValue('encoding', encoding, 'is invalid encoding');
  return encoding;
}

// What each operation makes of what it is asked and of the answer.
const operations = {
  readFile: {
    run(path, options) {
      encodingOf(options);
      return ['readFile', name(path)];
    },
    result(data, path, options) {
      const encoding = encodingOf(options);
      return encoding ? Buffer.from(data).toString(encoding) : Buffer.from(data);
    },
  },
  stat: { run: (path) => ['stat', name(path)], result: (facts) => new Stats(facts) },
  access: {
    run(path, mode = 0) {
      if ((mode | 4) !== 4) throw new Error('fs.access: whether a file may be written or run: needs runtime node');
      return [mode === 4 ? 'open' : 'access', name(path)];
    },
    result: () => undefined,
  },
  realpath: { run: (path) => ['realpath', name(path)], result: (path) => path },
  readdir: {
    run(path, options) {
      if (options && options.recursive) throw new Error('fs.readdir: recursive: needs runtime node');
      return ['readdir', name(path)];
    },
    result(list, path, options) {
      const parent = String(path);
      return list.map((entry) => (options && options.withFileTypes ? new Dirent({ ...entry, path: parent, parentPath: parent }) : entry.name));
    },
  },
};

exports.promises = {};

for (const [operation, { run, result }] of Object.entries(operations)) {
  exports[operation + 'Sync'] = (...args) => {
    try {
      return result(native.fileSync(...run(...args)), ...args);
    } catch (error) {
      if (operation === 'stat' && error.code === 'ENOENT' && args[1] && args[1].throwIfNoEntry === false) return undefined;
      throw error;
    }
  };
  exports.promises[operation] = async (...args) => result(await promised(() => native.fileAsync(...run(...args))), ...args);
  exports[operation] = (...args) => {
    const callback = args.pop();
    checkFunction(callback, 'cb');
    wait(native.fileAsync(...run(...args)), (error, value) => callback(error, ...(error || operation === 'access' ? [] : [result(value, ...args)])));
  };
}
exports.existsSync = (path) => {
  try {
    native.fileSync('stat', name(path));
    return true;
  } catch (error) {
    return false;
  }
};
exports.exists = (path, callback) => {
  checkFunction(callback, 'cb');
  wait(native.fileAsync('stat', String(path)), (error) => callback(!error));
};
exports.exists[Symbol.for('nodejs.util.promisify.custom')] = (path) => new Promise((resolve) => { exports.exists(path, resolve); });
exports.constants = { F_OK: 0, R_OK: 4, W_OK: 2, X_OK: 1 };
Object.assign(exports, { Stats, Dirent }, exports.constants);

class Watcher extends EventEmitter {
  ref() { return this; }
  unref() { return this; }
}

exports.watch = (path, options, listener) => {
  const watcher = new Watcher();
  const number = wait(native.watch(name(path)), (error, change) => (error ? watcher.emit('error', error) : watcher.emit('change', ...change)), true);
  watcher.close = () => {
    native.unwatch(number);
    stop(number);
    process.nextTick(() => watcher.emit('close'));
  };
  const heard = typeof options === 'function' ? options : listener;
  return heard ? watcher.on('change', heard) : watcher;
};

const nothing = () => new Stats({ size: 0, mode: 0, mtimeMs: 0, atimeMs: 0, ctimeMs: 0, birthtimeMs: 0, kind: 'none' });
const watched = new Map();

function watchStats(path, interval) {
  const watcher = new Watcher();
  let before = exports.statSync(path, { throwIfNoEntry: false });
  if (!before) setImmediate(() => watcher.emit('change', nothing(), nothing())); // as Node does, to say so
  before = before || nothing();
  watcher.timer = setInterval(() => exports.stat(path, (error, stats) => {
    const [now, last] = [error ? nothing() : stats, before];
    before = now;
    if (now.mtimeMs !== last.mtimeMs || now.size !== last.size) watcher.emit('change', now, last);
  }), interval);
  return watcher;
}

exports.watchFile = (path, options, listener) => {
  const key = require('path').resolve(name(path));
  const heard = typeof options === 'function' ? options : listener;
  checkFunction(heard, 'listener');
  if (!watched.has(key)) watched.set(key, watchStats(key, (options && options.interval) || 5007));
  return watched.get(key).on('change', heard);
};

exports.unwatchFile = (path, listener) => {
  const key = require('path').resolve(name(path));
  const watcher = watched.get(key);
  if (!watcher) return;
  if (listener) {
    watcher.removeListener('change', listener);
  } else {
    watcher.removeAllListeners('change');
  }
  if (watcher.listenerCount('change') > 0) return;
  clearInterval(watcher.timer);
  watched.delete(key);
};
