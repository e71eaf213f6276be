'use strict';

const querystring = require('querystring');
const { coded, check } = require('internal/errors');
const { URL, URLSearchParams } = require('internal/whatwg');

const slashed = ['http:', 'https:', 'ftp:', 'file:', 'ws:', 'wss:'];
const scheme = /^[a-z][a-z0-9+.-]*:/i;

// Node's older interface, for what scripts do with it: taking addresses of services apart.
class Url {
  constructor() {
    for (const name of ['protocol', 'slashes', 'auth', 'host', 'port', 'hostname', 'hash', 'search', 'query', 'pathname', 'path', 'href']) {
      this[name] = null;
    }
  }
}

function parse(text, query = false, slashes = false) {
  check(text, 'string', 'url');
  const url = new Url();
  const [, protocol, rest] = /^([a-z][a-z0-9+.-]*:)?(.*)$/is.exec(text.trim().replace(/\\/g, '/'));
  const [, authority, path, search, hash] = /^(\/\/[^/?#]*)?([^?#]*)(\?[^#]*)?(#.*)?$/s.exec(rest);
  url.protocol = protocol ? protocol.toLowerCase() : null;
  const hasAuthority = authority !== undefined && (protocol !== undefined || slashes);
  if (hasAuthority) parseAuthority(url, authority.slice(2));
  url.pathname = ((hasAuthority ? '' : authority || '') + path).replace(/[\t\n\r "'<>^`{|}]/g, encodeURIComponent).replace(/'/g, '%27') || null;
  if (hasAuthority && url.pathname === null && slashed.includes(url.protocol)) url.pathname = '/';
  url.hash = hash || null;
  url.search = search || (query ? '' : null);
  url.query = query ? querystring.parse(url.search.slice(1)) : url.search && url.search.slice(1);
  url.path = url.pathname || url.search ? (url.pathname || '') + (url.search || '') : null;
  url.href = format(url);
  return url;
}

function parseAuthority(url, text) {
  const [, auth, name, port] = /^(?:(.*)@)?(.*?)(?::(\d*))?$/s.exec(text);
  const host = /[^\u0000-\u007f]/.test(name) ? new URL('http://' + name).hostname : name.toLowerCase();
  url.slashes = true;
  url.auth = auth === undefined ? null : decodeURIComponent(auth);
  url.port = port || null;
  url.hostname = host.replace(/^\[(.*)\]$/, '$1');
  url.host = host + (port ? ':' + port : '');
}

function format(url, options) {
  if (options) throw new Error('url.format: options: needs runtime node');
  if (typeof url === 'string') return parse(url).href;
  if (url instanceof URL) return url.href;
  const protocol = (url.protocol || '').replace(/[^:]$/, '$&:');
  const name = url.hostname && url.hostname.includes(':') ? '[' + url.hostname + ']' : url.hostname;
  const host = url.host || (name ? name + (url.port ? ':' + url.port : '') : '');
  const auth = host && url.auth ? encodeURIComponent(url.auth).replace(/%3A/i, ':') + '@' : '';
  const fields = url.query && typeof url.query === 'object' ? querystring.stringify(url.query) : '';
  const part = (value, mark) => (value ? (value.startsWith(mark) ? value : mark + value) : '');
  const slashes = url.slashes || (slashed.includes(protocol) && host) ? '//' : '';
  const path = (url.pathname || '').replace(/[?#]/g, encodeURIComponent);
  return protocol + slashes + auth + host + (slashes ? part(path, '/') : path) + part(url.search || fields, '?').replace(/#/g, '%23') + part(url.hash, '#');
}

function resolve(from, to) {
  if (scheme.test(from) || scheme.test(to)) return (scheme.test(to) ? new URL(to) : new URL(to, from)).href;
  if (to.startsWith('//')) return to;
  const { pathname, search, hash } = new URL(to, new URL(from, 'http://nowhere/'));
  return pathname + search + hash;
}

function fileURLToPath(url) {
  const { protocol, pathname } = new URL(url);
  if (protocol !== 'file:') throw coded(TypeError, 'ERR_INVALID_URL_SCHEME', 'The URL must be of scheme file');
  return decodeURIComponent(pathname);
}

const pathToFileURL = (path) => new URL('file://' + encodeURI(require('path').resolve(path)).replace(/[?#]/g, encodeURIComponent));

module.exports = { URL, URLSearchParams, Url, parse, format, resolve, fileURLToPath, pathToFileURL };
