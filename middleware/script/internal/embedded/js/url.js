'use strict';

const querystring = require('querystring');
const { coded, check } = require('internal/errors');
const { URL, URLSearchParams } = require('internal/whatwg');

const slashed = ['http:', 'https:', 'ftp:', 'file:', 'ws:', 'wss:'];

const parts = ['protocol', 'slashes', 'auth', 'host', 'port', 'hostname', 'hash', 'search', 'query', 'pathname', 'path', 'href'];

// Node's older interface, for what scripts do with it: taking addresses of services apart.
function parse(text, query = false, slashes = false) {
  check(text, 'string', 'url');
  const url = Object.fromEntries(parts.map((name) => [name, null]));
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
  const auth = url.auth ? encodeURIComponent(url.auth).replace('%3A', ':') + '@' : '';
  url.href = (url.protocol || '') + (hasAuthority ? '//' + auth + url.host : '') + (url.path || '') + (hash || '');
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

function fileURLToPath(url) {
  const { protocol, pathname } = new URL(url);
  if (protocol !== 'file:') throw coded(TypeError, 'ERR_INVALID_URL_SCHEME', 'The URL must be of scheme file');
  return decodeURIComponent(pathname);
}

const pathToFileURL = (path) => new URL('file://' + encodeURI(require('path').resolve(path)).replace(/[?#]/g, encodeURIComponent));

module.exports = { URL, URLSearchParams, parse, fileURLToPath, pathToFileURL };
