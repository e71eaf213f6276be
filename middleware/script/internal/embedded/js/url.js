'use strict';

const querystring = require('querystring');
const { coded, check } = require('internal/errors');

const refused = (name) => () => { throw new Error(name + ': needs runtime node'); };

const partsOf = (input, base) => native.url(String(input), base === undefined ? undefined : String(base));

// Go takes URLs apart. They do not change: a script that only decides who may come in has nothing to ask of a URL that it makes.
class URL {
  constructor(input, base) {
    const parts = partsOf(input, base);
    if (!parts) throw coded(TypeError, 'ERR_INVALID_URL', 'Invalid URL', { input: String(input) });
    parts.origin = /^(https?|ftp|wss?):$/.test(parts.protocol) ? parts.protocol + '//' + parts.host : 'null';
    for (const [name, value] of Object.entries(parts)) Object.defineProperty(this, name, { get: () => value, set: refused('URL.' + name), enumerable: true });
  }
  static canParse(input, base) { return partsOf(input, base) !== undefined; }
  get searchParams() { return new URLSearchParams(this.search); }
  toString() { return this.href; }
  toJSON() { return this.href; }
  get [Symbol.toStringTag]() { return 'URL'; }
}

const encode = (word) => encodeURIComponent(word).replace(/[!'()~]/g, (c) => '%' + c.charCodeAt(0).toString(16).toUpperCase()).replace(/%20/g, '+');
const decode = (word) => querystring.unescape(word.replace(/\+/g, ' '));

function pairsOf(init) {
  if (Object(init) === init) return Array.from(init[Symbol.iterator] ? init : Object.entries(init), ([name, value]) => [String(name), String(value)]);
  return String(init).replace(/^\?/, '').split('&').filter(Boolean).map((field) => {
    const [name, ...rest] = field.split('=');
    return [decode(name), decode(rest.join('='))];
  });
}

class URLSearchParams {
  #pairs;
  constructor(init = '') { this.#pairs = pairsOf(init); }
  getAll(name) { return this.#pairs.filter(([key]) => key === String(name)).map(([, value]) => value); }
  get(name) { return this.getAll(name)[0] ?? null; }
  has(name, value) { return this.getAll(name).some((one) => value === undefined || one === String(value)); }
  forEach(listener) { for (const [name, value] of this) listener(value, name, this); }
  get size() { return this.#pairs.length; }
  entries() { return this.#pairs.values(); }
  keys() { return this.#pairs.map(([name]) => name).values(); }
  values() { return this.#pairs.map(([, value]) => value).values(); }
  [Symbol.iterator]() { return this.entries(); }
  toString() { return this.#pairs.map((pair) => pair.map(encode).join('=')).join('&'); }
  get [Symbol.toStringTag]() { return 'URLSearchParams'; }
}
for (const name of ['append', 'delete', 'set', 'sort']) URLSearchParams.prototype[name] = refused('URLSearchParams.' + name);

const withSlashes = ['http:', 'https:', 'ftp:', 'file:', 'ws:', 'wss:'];
const pattern = /^(?:([a-z][a-z0-9+.-]*:)(\/\/(?:([^/?#]*)@)?([^/?#]*?)(?::(\d*))?(?=[/?#]|$))?)?([^?#]*)(\?[^#]*)?(#.*)?$/is;

// Node's older interface, for what scripts do with it: taking addresses of services apart.
function parse(address, query = false) {
  check(address, 'string', 'url');
  const [, scheme, authority, auth, name, port, rest, search = '', hash = ''] = pattern.exec(address.trim());
  const protocol = scheme ? scheme.toLowerCase() : null;
  const host = authority ? name.toLowerCase() + (port ? ':' + port : '') : null;
  const pathname = rest || (authority && withSlashes.includes(protocol) ? '/' : '');
  return {
    protocol, host,
    slashes: authority !== undefined || null,
    auth: auth ? decodeURIComponent(auth) : null,
    port: port || null,
    hostname: authority ? name.toLowerCase().replace(/^\[(.*)\]$/, '$1') : null,
    hash: hash || null,
    search: search || (query ? '' : null),
    query: query ? querystring.parse(search.slice(1)) : search ? search.slice(1) : null,
    pathname: pathname || null,
    path: pathname + search || null,
    href: (scheme ? protocol : '') + (authority ? '//' + (auth ? auth + '@' : '') + host : '') + pathname + search + hash,
  };
}

function fileURLToPath(url) {
  const { protocol, pathname } = new URL(url);
  if (protocol !== 'file:') throw coded(TypeError, 'ERR_INVALID_URL_SCHEME', 'The URL must be of scheme file');
  return decodeURIComponent(pathname);
}

const pathToFileURL = (path) => new URL('file://' + encodeURI(require('path').resolve(path)).replace(/[?#]/g, encodeURIComponent));

module.exports = { URL, URLSearchParams, parse, fileURLToPath, pathToFileURL };
