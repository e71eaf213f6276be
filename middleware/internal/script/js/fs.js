'use strict';

const EventEmitter = require('events');

class Stats {
  constructor(facts) {
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

class Dirent extends Stats {
  constructor(path, { name, kind }) {
    super({});
    this.name = name;
    this.path = path;
    this.parentPath = path;
    this.kind = kind;
  }
}

function name(path) {
  if (path instanceof URL) return require('url').fileURLToPath(path);
  if (typeof path !== 'string' && !Buffer.isBuffer(path)) {
    throw new TypeError('The "path" argument must be of type string or an instance of Buffer or URL. Received ' + typeof path);
  }
  return String(path);
}

// What each operation makes of what it is asked and of the answer.
const operations = {
  readFile: {
    run: (path) => ['readFile', name(path)],
    result(data, path, options) {
      const encoding = typeof options === 'string' ? options : options && options.encoding;
      const bytes = Buffer.from(data);
      return encoding ? bytes.toString(encoding) : bytes;
    },
  },
  stat: { run: (path) => ['stat', name(path)], result: (facts) => new Stats(facts) },
  lstat: { run: (path) => ['lstat', name(path)], result: (facts) => new Stats(facts) },
  access: { run: (path, mode = 0) => ['access', name(path), mode], result: () => undefined },
  realpath: { run: (path) => ['realpath', name(path)], result: (path) => path },
  readdir: {
    run: (path) => ['readdir', name(path)],
    result: (list, path, options) => list.map((entry) => (options && options.withFileTypes ? new Dirent(String(path), entry) : entry.name)),
  },
};

exports.promises = { constants: {} };

for (const [operation, { run, result }] of Object.entries(operations)) {
  exports[operation + 'Sync'] = (...args) => {
    try {
      return result(binding.sync(...run(...args)), ...args);
    } catch (error) {
      if ((operation === 'stat' || operation === 'lstat') && error.code === 'ENOENT' && args[1] && args[1].throwIfNoEntry === false) {
        return undefined;
      }
      throw error;
    }
  };
  exports.promises[operation] = (...args) => new Promise((resolve, reject) => {
    binding.async((error, value) => (error ? reject(error) : resolve(result(value, ...args))), ...run(...args));
  });
  exports[operation] = (...args) => {
    const callback = args.pop();
    if (typeof callback !== 'function') {
      throw new TypeError('The "cb" argument must be of type function. Received ' + typeof callback);
    }
    binding.async((error, value) => (error ? callback(error) : callback(null, result(value, ...args))), ...run(...args));
  };
}

exports.existsSync = (path) => {
  try {
    binding.sync('stat', name(path));
    return true;
  } catch (error) {
    return false;
  }
};
exports.exists = (path, callback) => exports.stat(path, (error) => callback(!error));
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
    const close = binding.watch(path, (event, file) => this.emit('change', event, file), (error) => this.emit('error', error));
    Object.defineProperty(this, '_close', { value: close, enumerable: false });
  }
  close() {
    this._close();
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
    this.before = exports.statSync(path, { throwIfNoEntry: false }) || nothing();
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
for (const method of ['writeFile', 'appendFile', 'unlink', 'rename', 'mkdir', 'rmdir', 'rm', 'copyFile', 'chmod', 'chown', 'truncate', 'open',
  'symlink', 'link', 'utimes', 'mkdtemp']) {
  const refuse = () => { throw new Error('fs.' + method + ': scripts can read files only'); };
  exports[method] = refuse;
  exports[method + 'Sync'] = refuse;
  exports.promises[method] = async () => refuse();
}
for (const method of ['createReadStream', 'createWriteStream']) {
  exports[method] = () => { throw new Error('fs.' + method + ': not available in balancer scripts; use fs.readFile'); };
}
