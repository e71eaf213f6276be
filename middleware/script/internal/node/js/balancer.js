class LoadBalancer extends EventEmitter {
  addMiddleware(type, middleware) {
    if (type !== this.MIDDLEWARE_CONNECTION) {
      throw new TypeError(`balancer.addMiddleware: there is no middleware type "${String(type)}"`);
    }
    if (typeof middleware !== 'function') {
      throw new TypeError('balancer.addMiddleware: the middleware is not a function');
    }
    middlewares.push(middleware);
  }

  isTargetActive(host, port) { return aboutTarget('isTargetActive', 0, host, port); }

  deactivateTarget(host, port) { aboutTarget('deactivateTarget', 1, host, port); }

  setTargets() {
    throw new Error('balancer.setTargets: not available here: the targets are those of the config; change them there and reload it');
  }

  close() {
    throw new Error('balancer.close: not available here: a script cannot stop the balancer');
  }
}
LoadBalancer.prototype.MIDDLEWARE_CONNECTION = 'connection';

function aboutTarget(name, what, host, port) {
  const number = Math.trunc(Number(port));
  if (!config.targets || !loaded) {
    throw new Error(`balancer.${name}: not available ` + (config.targets
      ? 'while the script is loaded: the targets are not known yet'
      : 'here: a middleware decides who may come in, not where to'));
  }
  if (String(host) === '' || !(number >= 1 && number <= 65535)) {
    throw new TypeError(`balancer: ${String(host)}:${String(port)} is no target`);
  }
  try {
    return ask(what, (String(host).includes(':') ? `[${host}]` : host) + ':' + number);
  } catch (error) {
    throw new Error(`balancer.${name}: ${error.message}`);
  }
}

// What a console prints goes to Caddy's log with its level.
for (const [name, level] of Object.entries({ debug: 0, log: 1, info: 1, warn: 2, error: 3 })) {
  console[name] = (...args) => {
    send(LOG, level, cut(util.format(...args), MOST_LOG));
    flush(); // before the script hangs, or dies
  };
}
