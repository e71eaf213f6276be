'use strict';

const { coded, checkFunction } = require('internal/errors');
const custom = Symbol.for('nodejs.util.inspect.custom');
const text = (value) => (value === undefined ? undefined : String(value));

// Go takes URLs apart. A part that is set gives another one.
class URL {
  #parts;
  #params;

  constructor(input, base) {
    this.#parts = native.url(String(input), text(base));
    if (!this.#parts) throw coded(TypeError, 'ERR_INVALID_URL', 'Invalid URL', { input: String(input) });
  }
  static canParse(input, base) { return Boolean(native.url(String(input), text(base))); }

  #set(name, value) {
    this.#parts = name === 'href' ? new URL(value).#parts : native.url(this.#parts.href, undefined, name, String(value)) || this.#parts;
    if (this.#params && (name === 'search' || name === 'href')) fillParams(this.#params, this.#parts.search);
  }
  get origin() { return /^(https?|ftp|wss?):$/.test(this.protocol) ? this.protocol + '//' + this.host : 'null'; }
  get searchParams() {
    if (!this.#params) {
      this.#params = new URLSearchParams(this.#parts.search);
      changed.set(this.#params, (query) => { this.#parts = native.url(this.#parts.href, undefined, 'search', query) || this.#parts; });
    }
    return this.#params;
  }
  toString() { return this.href; }
  toJSON() { return this.href; }
  get [Symbol.toStringTag]() { return 'URL'; }
  [custom](depth, options, inspect) { return 'URL ' + inspect({ ...this.#parts, searchParams: this.searchParams }, options); }
  static {
    for (const name of ['href', 'protocol', 'username', 'password', 'host', 'hostname', 'port', 'pathname', 'search', 'hash']) {
      Object.defineProperty(URL.prototype, name, {
        get() { return this.#parts[name]; },
        set(value) { this.#set(name, value); },
        configurable: true,
        enumerable: true,
      });
    }
  }
}

const lists = new WeakMap();
const changed = new WeakMap(); // what the URL of parameters does when they change

const encode = (word) => encodeURIComponent(word.toWellFormed())
  .replace(/[!'()~]|%20/g, (c) => (c === '%20' ? '+' : '%' + c.charCodeAt(0).toString(16).toUpperCase()));
const decode = (word) => require('querystring').unescape(word.replace(/\+/g, ' '));

function fillParams(params, query) {
  lists.set(params, query.replace(/^\?/, '').split('&').filter(Boolean).map((field) => {
    const at = field.indexOf('=');
    return at < 0 ? [decode(field), ''] : [decode(field.slice(0, at)), decode(field.slice(at + 1))];
  }));
}

class URLSearchParams {
  constructor(init = '') {
    if (Object(init) !== init) return fillParams(this, String(init));
    const pairs = typeof init[Symbol.iterator] === 'function' ? Array.from(init, (pair) => Array.from(pair)) : Object.entries(init);
    if (pairs.some((pair) => pair.length !== 2)) {
      throw coded(TypeError, 'ERR_INVALID_TUPLE', 'Each query pair must be an iterable [name, value] tuple');
    }
    lists.set(this, pairs.map((pair) => pair.map(String)));
  }
  #change(list) {
    lists.set(this, list);
    const tell = changed.get(this);
    if (tell) tell(this.toString());
  }
  append(name, value) { this.#change([...lists.get(this), [String(name), String(value)]]); }
  delete(name, value) { this.#change(lists.get(this).filter(([key, one]) => key !== String(name) || value !== undefined && one !== String(value))); }
  get(name) { return this.getAll(name)[0] ?? null; }
  getAll(name) { return lists.get(this).filter(([key]) => key === String(name)).map(([, value]) => value); }
  has(name, value) { return this.getAll(name).some((one) => value === undefined || one === String(value)); }
  set(name, value) {
    const list = lists.get(this);
    const at = list.findIndex(([key]) => key === String(name));
    if (at < 0) return this.append(name, value);
    return this.#change(list.toSpliced(at, 1, [String(name), String(value)]).filter(([key], i) => i === at || key !== String(name)));
  }
  sort() { this.#change(lists.get(this).toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))); }
  forEach(listener, self) {
    checkFunction(listener);
    for (const [name, value] of this) listener.call(self, value, name, this);
  }
  get size() { return lists.get(this).length; }
  * entries() { for (let i = 0; i < lists.get(this).length; i++) yield [...lists.get(this)[i]]; }
  * keys() { for (const [name] of this) yield name; }
  * values() { for (const [, value] of this) yield value; }
  [Symbol.iterator]() { return this.entries(); }
  toString() { return lists.get(this).map((pair) => pair.map(encode).join('=')).join('&'); }
  get [Symbol.toStringTag]() { return 'URLSearchParams'; }
  [custom](depth, options, inspect) { return 'URLSearchParams ' + inspect(Object.fromEntries(this), options); }
}

module.exports = { URL, URLSearchParams };
