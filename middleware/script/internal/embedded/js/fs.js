'use strict';

const EventEmitter = require('events');
const { invalidType, invalidValue, checkFunction } = require('internal/errors');
const { wait, stop, promised } = require('internal/tasks');

class Stats {
  constructor(facts) {
    const { kind } = facts;
    delete facts.kind;
    Object.defineProperty(this, 'kind', { value: kind });
    Object.assign(this, facts);
    for (const name of ['atime', 'mtime', 'ctime', 'birthtime']) {
      this[name] = new Date(this[name + 'Ms']);
    }
  }
  isFile() { return this.kind === 'file'; }
  isDirectory() { return this.kind === 'directory'; }
  isSymbolicLink() { return this.kind === 'link'; }
  isSocket() { return this.kind === 'socket'; }
  isFIFO() { return this.kind === 'fifo'; }
  isBlockDevice() { return this.kind === 'block'; }
  isCharacterDevice() { return this.kind === 'character'; }
}

class Dirent {
  constructor(path, { name, kind }) {
    Object.assign(this, { name, parentPath: path, path });
    Object.defineProperty(this, 'kind', { value: kind });
  }
}
for (const method of ['isFile', 'isDirectory', 'isSymbolicLink', 'isSocket', 'isFIFO', 'isBlockDevice', 'isCharacterDevice']) {
  Object.defineProperty(Dirent.prototype, method, { value: Stats.prototype[method] });
}

function name(path) {
  if (path instanceof URL) return require('url').fileURLToPath(path);
  if (typeof path !== 'string' && !(path instanceof Uint8Array)) throw invalidType('path', 'of type string or an instance of Buffer or URL', path);
  const text = String(typeof path === 'string' || Buffer.isBuffer(path) ? path : Buffer.from(path));
  if (text.includes('\0')) throw invalidValue('path', text, 'must be a string, Uint8Array, or URL without null bytes');
  return text;
}

function encodingOf(options) {
  if (options !== undefined && options !== null && typeof options !== 'string' && typeof options !== 'object') {
    throw invalidType('options', 'one of type string or object', options);
  }
  const encoding = typeof options === 'string' ? options : options && options.encoding;
  if (encoding && encoding !== 'buffer' && !Buffer.isEncoding(encoding)) throw invalidValue('encoding', encoding, 'is invalid encoding');
  return encoding === 'buffer' ? undefined : encoding;
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
      const bytes = Buffer.from(data);
      return encoding ? bytes.toString(encoding) : bytes;
    },
  },
  stat: { run: (path) => ['stat', name(path)], result: (facts) => new Stats(facts) },
  lstat: { run: (path) => ['lstat', name(path)], result: (facts) => new Stats(facts) },
  access: { run: (path, mode) => ['access', name(path), mode || 0], result: () => undefined },
  realpath: { run: (path) => ['realpath', name(path)], result: (path) => path },
  readlink: { run: (path) => ['readlink', name(path)], result: (path) => path },
  readdir: {
    run: (path, options) => ['readdir', name(path), options && options.recursive ? 1 : 0],
    result(list, path, options) {
      const { join } = require('path');
      if (!(options && options.withFileTypes)) return list.map(({ folder, name: entry }) => join(folder, entry));
      return list.map((entry) => new Dirent(entry.folder ? join(String(path), entry.folder) : String(path), entry));
    },
  },
};

exports.promises = {};

for (const [operation, { run, result }] of Object.entries(operations)) {
  exports[operation + 'Sync'] = (...args) => {
    try {
      return result(native.fileSync(...run(...args)), ...args);
    } catch (error) {
      if ((operation === 'stat' || operation === 'lstat') && error.code === 'ENOENT' && args[1] && args[1].throwIfNoEntry === false) {
        return undefined;
      }
      throw error;
    }
  };
  exports.promises[operation] = async (...args) => result(await promised(() => native.fileAsync(...run(...args))), ...args);
  exports[operation] = (...args) => {
    const callback = args.pop();
    checkFunction(typeof callback === 'function' ? callback : undefined, 'cb');
    wait(native.fileAsync(...run(...args)), (error, value) => {
      const answer = error || operation === 'access' ? [error] : [null, result(value, ...args)];
      callback(...answer);
    });
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
exports.realpathSync.native = exports.realpathSync;
exports.constants = { F_OK: 0, R_OK: 4, W_OK: 2, X_OK: 1 };
Object.assign(exports, exports.constants);
exports.promises.constants = exports.constants;
exports.Stats = Stats;
exports.Dirent = Dirent;

class FSWatcher extends EventEmitter {
  constructor(path) {
    super();
    const number = wait(native.watch(path), (error, [event, file] = []) => (error ? this.emit('error', error) : this.emit('change', event, file)), true);
    Object.defineProperty(this, '_number', { value: number, enumerable: false });
  }
  close() {
    native.unwatch(this._number);
    stop(this._number);
    process.nextTick(() => this.emit('close'));
  }
  ref() { return this; }
  unref() { return this; }
}

exports.watch = (path, options, listener) => {
  const watcher = new FSWatcher(name(path));
  const heard = typeof options === 'function' ? options : listener;
  if (heard) watcher.on('change', heard);
  return watcher;
};

const nothing = () => new Stats({ size: 0, mode: 0, mtimeMs: 0, atimeMs: 0, ctimeMs: 0, birthtimeMs: 0, kind: 'none' });
const watched = new Map();

class StatWatcher extends EventEmitter {
  constructor(path, interval) {
    super();
    this.before = exports.statSync(path, { throwIfNoEntry: false });
    if (!this.before) {
      this.before = nothing();
      setImmediate(() => this.emit('change', nothing(), nothing())); // as Node does, to say so
    }
    this.timer = setInterval(() => exports.stat(path, (error, stats) => {
      const now = error ? nothing() : stats;
      const before = this.before;
      if (now.mtimeMs !== before.mtimeMs || now.size !== before.size) {
        this.before = now;
        this.emit('change', now, before);
      }
    }), interval);
  }
  ref() { return this; }
  unref() { return this; }
}

exports.watchFile = (path, options, listener) => {
  const key = require('path').resolve(name(path));
  const heard = typeof options === 'function' ? options : listener;
  if (!watched.has(key)) {
    watched.set(key, new StatWatcher(key, (options && options.interval) || 5007));
  }
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
  if (watcher.listenerCount('change') === 0) {
    clearInterval(watcher.timer);
    watched.delete(key);
  }
};

// Scripts read. A call of what writes says so, instead of not being there.
for (const method of ['writeFile', 'appendFile', 'unlink', 'rename', 'mkdir', 'rmdir', 'rm', 'copyFile', 'chmod', 'chown', 'truncate', 'write', 'writev',
  'symlink', 'link', 'utimes', 'mkdtemp']) {
  const refuse = () => { throw new Error('fs.' + method + ': scripts can read files only'); };
  exports[method] = refuse;
  exports[method + 'Sync'] = refuse;
  exports.promises[method] = async () => refuse();
}
for (const method of ['open', 'openSync', 'read', 'readSync', 'close', 'closeSync', 'createReadStream', 'createWriteStream', 'opendir', 'opendirSync']) {
  exports[method] = () => { throw new Error('fs.' + method + ': needs runtime node'); };
}
