'use strict';

const { coded, invalidType } = require('internal/errors');
const custom = Symbol.for('nodejs.util.inspect.custom');
const parts = ['href', 'origin', 'protocol', 'username', 'password', 'host', 'hostname', 'port', 'pathname', 'search', 'hash'];

class URL {
  #parts;
  #params;

  constructor(input, base) {
    this.#parts = native.url(String(input), base === undefined ? undefined : String(base));
    if (!this.#parts) throw coded(TypeError, 'ERR_INVALID_URL', 'Invalid URL', { input: String(input), ...(base !== undefined && { base: String(base) }) });
  }
  static canParse(input, base) { return Boolean(native.url(String(input), base === undefined ? undefined : String(base))); }

  #set(name, value) {
    this.#parts = name === 'href' ? new URL(value).#parts : native.url(this.#parts.href, undefined, name, String(value)) || this.#parts;
    if (this.#params && (name === 'search' || name === 'href')) fillParams(this.#params, this.#parts.search);
  }
  get origin() { return /^(https?|ftp|wss?):$/.test(this.protocol) ? this.protocol + '//' + this.host : 'null'; }
  get searchParams() {
    if (!this.#params) {
      this.#params = new URLSearchParams(this.#parts.search);
      changed.set(this.#params, (text) => { this.#parts = native.url(this.#parts.href, undefined, 'search', text) || this.#parts; });
    }
    return this.#params;
  }
  toString() { return this.href; }
  toJSON() { return this.href; }
  get [Symbol.toStringTag]() { return 'URL'; }
  [custom](depth, options, inspect) {
    const shown = {};
    for (const name of [...parts.slice(0, -1), 'searchParams', 'hash']) shown[name] = this[name];
    return 'URL ' + inspect(shown, options);
  }
  static {
    for (const name of parts.filter((part) => part !== 'origin')) {
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

const encode = (text) => encodeURIComponent(text.toWellFormed()).replace(/[!'()~]|%20/g, (c) => (c === '%20' ? '+' : '%' + c.charCodeAt(0).toString(16).toUpperCase()));
const decode = (text) => require('querystring').unescape(text.replace(/\+/g, ' '));

function fillParams(params, text) {
  lists.set(params, text.replace(/^\?/, '').split('&').filter(Boolean).map((field) => {
    const at = field.indexOf('=');
    return at < 0 ? [decode(field), ''] : [decode(field.slice(0, at)), decode(field.slice(at + 1))];
  }));
}

class URLSearchParams {
  constructor(init = '') {
    if (init === null || typeof init !== 'object' && typeof init !== 'function') {
      fillParams(this, String(init));
    } else if (typeof init[Symbol.iterator] === 'function') {
      lists.set(this, Array.from(init, (pair) => {
        const both = pair !== null && typeof pair === 'object' && typeof pair[Symbol.iterator] === 'function' ? [...pair].map(String) : [];
        if (both.length !== 2) throw coded(TypeError, 'ERR_INVALID_TUPLE', 'Each query pair must be an iterable [name, value] tuple');
        return both;
      }));
    } else {
      lists.set(this, Object.entries(init).map((pair) => pair.map(String)));
    }
  }
  #change(list) {
    lists.set(this, list);
    const tell = changed.get(this);
    if (tell) tell(this.toString());
  }
  append(name, value) { this.#change([...lists.get(this), [String(name), String(value)]]); }
  delete(name, value) {
    this.#change(lists.get(this).filter(([key, one]) => key !== String(name) || value !== undefined && one !== String(value)));
  }
  get(name) {
    const found = lists.get(this).find(([key]) => key === String(name));
    return found ? found[1] : null;
  }
  getAll(name) { return lists.get(this).filter(([key]) => key === String(name)).map(([, value]) => value); }
  has(name, value) { return lists.get(this).some(([key, one]) => key === String(name) && (value === undefined || one === String(value))); }
  set(name, value) {
    const list = lists.get(this);
    const at = list.findIndex(([key]) => key === String(name));
    if (at < 0) {
      this.append(name, value);
    } else {
      this.#change(list.filter(([key], i) => i === at || key !== String(name)).map((pair) => (pair === list[at] ? [pair[0], String(value)] : pair)));
    }
  }
  sort() { this.#change(lists.get(this).slice().sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))); }
  forEach(listener, self) {
    if (typeof listener !== 'function') throw invalidType('callback', 'of type function', listener);
    for (const [name, value] of this) listener.call(self, value, name, this);
  }
  get size() { return lists.get(this).length; }
  * entries() { for (let i = 0; i < lists.get(this).length; i++) yield [...lists.get(this)[i]]; }
  * keys() { for (const [name] of this) yield name; }
  * values() { for (const [, value] of this) yield value; }
  [Symbol.iterator]() { return this.entries(); }
  toString() { return lists.get(this).map((pair) => pair.map(encode).join('=')).join('&'); }
  get [Symbol.toStringTag]() { return 'URLSearchParams'; }
  [custom](depth, options, inspect) {
    const items = [...this].map(([name, value]) => inspect(name) + ' => ' + inspect(value));
    return 'URLSearchParams {' + (items.length > 0 ? ' ' + items.join(', ') + ' ' : '') + '}';
  }
}

module.exports = { URL, URLSearchParams };
