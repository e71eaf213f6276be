'use strict';

const { coded } = require('internal/errors');
const custom = Symbol.for('nodejs.util.inspect.custom');

// URL of what the engine has, with what the standard says and that does not: how text is cleaned first, IPv6 hosts,
// origins, and addresses without a host.
module.exports = ({ URL: Native, URLSearchParams, resolve }) => {
  const special = /^(https?|ftp|wss?):/i;

  function clean(text) {
    text = text.replace(/^[\u0000-\u0020]+|[\u0000-\u0020]+$/g, '').replace(/[\t\n\r]/g, '');
    const [, scheme, rest] = /^([a-z][a-z0-9+.-]*:)?([^]*)$/i.exec(text);
    if (!special.test(scheme)) return text;
    const [, path, tail] = /^([^?#]*)([^]*)$/.exec(rest);
    const [, authority, place] = /^\/*([^/]*)([^]*)$/.exec(path.replace(/\\/g, '/'));
    return scheme.toLowerCase() + '//' + server(authority) + place + tail;
  }

  function server(authority) {
    const [, user, host, , port] = /^((?:.*@)?)(\[[^\]]*\]|[^:]*)(:(.*))?$/.exec(authority) || [];
    if (!host || (port && !(/^\d+$/.test(port) && Number(port) <= 65535))) throw new TypeError('Invalid URL');
    const six = host.startsWith('[');
    if (six && (require('net').isIP(host.slice(1, -1)) !== 6 || host.includes('%'))) throw new TypeError('Invalid URL');
    return user + (six ? hexadecimal(host) : host) + (port ? ':' + Number(port) : '');
  }

  const hexadecimal = (host) => host.toLowerCase().replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)\]$/, (all, a, b, c, d) => {
    return (256 * a + Number(b)).toString(16) + ':' + (256 * c + Number(d)).toString(16) + ']';
  });

  class URL {
    #url;

    constructor(input, base) {
      const text = String(input);
      const from = base === undefined ? undefined : new URL(base).href;
      try {
        const whole = /^[a-z][a-z0-9+.-]*:/i.test(text.trim());
        this.#url = new Native(clean(from === undefined || whole ? text : resolve(from, clean(text))));
      } catch (error) {
        throw coded(TypeError, 'ERR_INVALID_URL', 'Invalid URL', Object.assign({ input: text }, from && { base: String(base) }));
      }
    }
    static canParse(input, base) {
      try {
        return Boolean(new URL(input, base));
      } catch (error) {
        return false;
      }
    }
    get origin() { return special.test(this.protocol) ? this.protocol + '//' + this.host : 'null'; }
    get hostname() { return this.#url.host.replace(/:\d*$/, ''); }
    set hostname(value) { this.#url.hostname = value; }
    // Without a host, all up to the query is the path.
    get pathname() { return this.#url.pathname || /^[^:]*:(?:\/\/[^/?#]*)?([^?#]*)/.exec(this.href)[1]; }
    set pathname(value) { this.#url.pathname = value; }
    get search() { return this.#url.search; }
    set search(value) { this.#url.search = String(value).replace(/^\?/, ''); }
    get searchParams() { return this.#url.searchParams; }
    toString() { return this.href; }
    toJSON() { return this.href; }
    get [Symbol.toStringTag]() { return 'URL'; }
    [custom](depth, options, inspect) {
      const parts = {};
      for (const name of ['href', 'origin', 'protocol', 'username', 'password', 'host', 'hostname', 'port', 'pathname', 'search', 'searchParams', 'hash']) {
        parts[name] = this[name];
      }
      return 'URL ' + inspect(parts, options);
    }
    static {
      for (const name of ['href', 'protocol', 'username', 'password', 'host', 'port', 'hash']) {
        Object.defineProperty(URL.prototype, name, {
          get() { return this.#url[name]; },
          set(value) { this.#url[name] = value; },
          configurable: true,
          enumerable: true,
        });
      }
    }
  }

  const { has } = URLSearchParams.prototype;
  const methods = {
    forEach(listener, self) { for (const [name, value] of this) listener.call(self, value, name, this); },
    has(name, value) { return value === undefined ? has.call(this, name) : this.getAll(name).includes(String(value)); },
    [custom](depth, options, inspect) {
      const items = [...this].map(([name, value]) => inspect(name) + ' => ' + inspect(value));
      return 'URLSearchParams {' + (items.length > 0 ? ' ' + items.join(', ') + ' ' : '') + '}';
    },
    [Symbol.toStringTag]: 'URLSearchParams',
  };
  for (const name of Reflect.ownKeys(methods)) {
    Object.defineProperty(URLSearchParams.prototype, name, { value: methods[name], writable: true, configurable: true });
  }
  Object.defineProperty(URLSearchParams, 'name', { value: 'URLSearchParams', configurable: true });
  return { URL, URLSearchParams };
};
