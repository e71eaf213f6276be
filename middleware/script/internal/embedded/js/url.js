'use strict';

const querystring = require('querystring');
const { coded, invalidType } = require('internal/errors');
const domainToASCII = (domain) => native.toASCII(String(domain));
const domainToUnicode = (domain) => native.toUnicode(String(domain));
const { URL, URLSearchParams } = require('internal/whatwg');

const slashed = ['http:', 'https:', 'ftp:', 'file:', 'ws:', 'wss:'];

// Node's older interface, for what scripts do with it: taking addresses of services apart.
class Url {
  constructor() {
    for (const name of ['protocol', 'slashes', 'auth', 'host', 'port', 'hostname', 'hash', 'search', 'query', 'pathname', 'path', 'href']) {
      this[name] = null;
    }
  }
  format() { return format(this); }
  resolve(to) { return resolve(this.href, to); }
}

function parse(text, query = false, slashes = false) {
  if (text instanceof Url) return text;
  if (typeof text !== 'string') throw invalidType('url', 'of type string', text);
  const url = new Url();
  let rest = text.trim().replace(/\\/g, '/');
  const cut = (mark) => {
    const at = rest.indexOf(mark);
    if (at < 0) return null;
    const tail = rest.slice(at);
    rest = rest.slice(0, at);
    return tail;
  };
  url.hash = cut('#');
  url.search = cut('?');
  const scheme = /^([a-z][a-z0-9+.-]*:)/i.exec(rest);
  if (scheme) {
    url.protocol = scheme[1].toLowerCase();
    rest = rest.slice(scheme[1].length);
  }
  if (rest.startsWith('//') && (url.protocol || slashes)) {
    url.slashes = true;
    const end = rest.indexOf('/', 2);
    authority(url, rest.slice(2, end < 0 ? undefined : end));
    rest = end < 0 ? '' : rest.slice(end);
  }
  rest = rest.replace(/[\t\n\r "'<>\\^`{|}]/g, (c) => '%' + c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0'));
  url.pathname = rest || (url.slashes && slashed.includes(url.protocol) ? '/' : null);
  if (url.search === null && query) url.search = '';
  url.query = url.search === null ? null : url.search.slice(1);
  if (query) url.query = querystring.parse(url.query);
  url.path = url.pathname === null && !url.search ? null : (url.pathname || '') + (url.search || '');
  url.href = format(url);
  return url;
}

function authority(url, text) {
  const at = text.lastIndexOf('@');
  if (at >= 0) {
    url.auth = decodeURIComponent(text.slice(0, at));
    text = text.slice(at + 1);
  }
  const port = /:(\d*)$/.exec(text);
  if (port) {
    url.port = port[1] || null;
    text = text.slice(0, port.index);
  }
  text = /[^\u0000-\u007f]/.test(text) ? domainToASCII(text) : text.toLowerCase();
  url.hostname = text.startsWith('[') ? text.slice(1, -1) : text;
  url.host = text + (url.port ? ':' + url.port : '');
}

function formatURL(url, { auth = true, fragment = true, search = true } = {}) {
  let text = url.href;
  if (!auth && (url.username || url.password)) text = text.replace(/^([^/]*\/\/)[^@/]*@/, '$1');
  if (!fragment) text = text.replace(/#.*/, '');
  return search ? text : text.replace(/\?[^#]*/, '');
}

function format(url, options) {
  if (typeof url === 'string') return parse(url).href;
  if (url instanceof URL) return formatURL(url, options);
  let protocol = url.protocol || '';
  if (protocol && !protocol.endsWith(':')) protocol += ':';
  let host = '';
  if (url.host) {
    host = url.host;
  } else if (url.hostname) {
    host = (url.hostname.includes(':') ? '[' + url.hostname + ']' : url.hostname) + (url.port ? ':' + url.port : '');
  }
  if (host && url.auth) host = encodeURIComponent(url.auth).replace(/%3A/i, ':') + '@' + host;
  let search = url.search;
  if (!search && url.query && typeof url.query === 'object' && Object.keys(url.query).length > 0) {
    search = '?' + querystring.stringify(url.query);
  }
  const part = (value, mark) => (value ? (value.startsWith(mark) ? value : mark + value) : '');
  const slashes = url.slashes || (slashed.includes(protocol) && host) ? '//' : '';
  let path = (url.pathname || '').replace(/[?#]/g, encodeURIComponent);
  if (slashes && path && !path.startsWith('/')) path = '/' + path;
  return protocol + slashes + host + path + part(search, '?').replace(/#/g, '%23') + part(url.hash, '#');
}

function resolve(from, to) {
  if (/^[a-z][a-z0-9+.-]*:/i.test(from) || /^[a-z][a-z0-9+.-]*:/i.test(to)) return /^[a-z][a-z0-9+.-]*:/i.test(to) ? new URL(to).href : new URL(to, from).href;
  if (to.startsWith('//')) return to;
  const { pathname, search, hash } = new URL(to, new URL(from, 'http://nowhere/'));
  return pathname + search + hash;
}

function fileURLToPath(url) {
  const { protocol, pathname } = new URL(url);
  if (protocol !== 'file:') throw coded(TypeError, 'ERR_INVALID_URL_SCHEME', 'The URL must be of scheme file');
  return decodeURIComponent(pathname);
}

module.exports = {
  URL, URLSearchParams, Url, parse, format, resolve, domainToASCII, domainToUnicode, fileURLToPath,
  resolveObject: (from, to) => parse(resolve(from, to)),
  pathToFileURL: (path) => new URL('file://' + encodeURI(require('path').resolve(path)).replace(/[?#]/g, encodeURIComponent)),
  urlToHttpOptions: (url) => ({
    protocol: url.protocol,
    hostname: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? undefined : Number(url.port),
    path: url.pathname + url.search,
    hash: url.hash,
    search: url.search,
    pathname: url.pathname,
    href: url.href,
    auth: url.username ? decodeURIComponent(url.username) + ':' + decodeURIComponent(url.password) : undefined,
  }),
};
