// Begins an engine: the modules, and the functions that the event loop calls.
(function (native) {
  'use strict';

  const aliases = {
    'fs/promises': ['fs', 'promises'], 'dns/promises': ['dns', 'promises'], 'timers/promises': ['timers', 'promises'],
    'util/types': ['util', 'types'], 'path/posix': ['path', 'posix'],
  };
  const builtins = new Map();
  const isBuiltin = (name) => native.isModule(name.replace(/^node:/, ''));

  // A module of Node's, or one that these have in common.
  function builtin(asked) {
    const name = asked.replace(/^node:/, '');
    const alias = aliases[name];
    if (alias) return builtin(alias[0])[alias[1]];
    const known = builtins.get(name);
    if (known) return known.exports;
    const module = { exports: {} };
    builtins.set(name, module);
    native.builtin(name)(module.exports, builtin, module, native);
    return module.exports;
  }

  native.thrower((message, name, properties) => Object.assign(new globalThis[name](message), properties));
  const { coded } = builtin('internal/errors');
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
      if (typeof name !== 'string') throw builtin('internal/errors').invalidType('id', 'of type string', name);
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
      if (path.endsWith('.json')) {
        module.exports = native.json(path);
      } else {
        native.compile(path).call(module.exports, module.exports, module.require, module, path, module.path);
      }
    } catch (error) {
      delete cache[path]; // so that another attempt is one
      throw error;
    }
    module.loaded = true;
    return module.exports;
  }

  builtin('internal/globals');
  const { balancer, decide, closed } = builtin('internal/balancer');

  // Runs the script, and calls its run function.
  function load(program, path) {
    main = new Module(program, null);
    main.id = '.';
    const { run } = file(path, main) || {};
    if (typeof run !== 'function') throw coded(Error, 'ERR_NO_RUN', path + ': module.exports.run is not a function');
    const result = run.call(cache[path] ? cache[path].exports : undefined, balancer);
    if (result instanceof Promise) {
      result.then(native.hasRun, native.loadFailed);
    } else {
      native.hasRun();
    }
  }

  const { complete, ticks } = builtin('internal/tasks');
  const { describe } = builtin('internal/describe');

  function namesOf(object) {
    const names = [];
    for (const name in object) names.push(name);
    return names;
  }

  // What listens to what nothing caught learns of it and no more: the client has been kept out.
  function uncaught(error, event) {
    if (balancer.listenerCount('error') > 0) balancer.emit('error', error);
    const name = process.listenerCount(event) > 0 ? event : 'uncaughtException';
    if (process.listenerCount(name) > 0) process.emit(name, error, name === event && event === 'unhandledRejection' ? undefined : event);
  }

  for (const [name, f] of Object.entries({ load, decide, closed, complete, ticks, describe, uncaught, exports: (name) => namesOf(builtin(name)).join() })) {
    native.enter(name, f);
  }
});
