'use strict';

function text(value, name) {
  if (typeof value !== 'string') {
    throw new TypeError('The "' + name + '" argument must be of type string. Received ' + typeof value);
  }
  return value;
}

function normalize(path) {
  text(path, 'path');
  if (path === '') return '.';
  const absolute = path.startsWith('/');
  const parts = [];
  for (const part of path.split('/')) {
    if (part === '..' && (parts.length > 0 ? parts[parts.length - 1] !== '..' : absolute)) {
      parts.pop();
    } else if (part !== '' && part !== '.') {
      parts.push(part);
    }
  }
  const slash = path.endsWith('/') && parts.length > 0 ? '/' : '';
  return (absolute ? '/' : '') + parts.join('/') + slash || (absolute ? '/' : '.' + (path.endsWith('/') ? '/' : ''));
}

const join = (...parts) => normalize(parts.filter((p) => text(p, 'path') !== '').join('/'));

function resolve(...parts) {
  let path = '';
  for (let i = parts.length - 1; i >= 0 && !path.startsWith('/'); i--) {
    if (text(parts[i], 'path') !== '') path = parts[i] + (path ? '/' + path : '');
  }
  if (!path.startsWith('/')) path = process.cwd() + '/' + path;
  const found = normalize(path);
  return found.length > 1 && found.endsWith('/') ? found.slice(0, -1) : found;
}

function trimmed(path) {
  return path.length > 1 ? path.replace(/\/+$/, '') || '/' : path;
}

function dirname(path) {
  const at = trimmed(text(path, 'path')).lastIndexOf('/');
  if (at < 0) return '.';
  return at === 0 ? '/' : trimmed(path.slice(0, at));
}

function basename(path, ending) {
  let name = trimmed(text(path, 'path'));
  name = name.slice(name.lastIndexOf('/') + 1);
  return ending && name !== ending && name.endsWith(ending) ? name.slice(0, -ending.length) : name;
}

function extname(path) {
  const name = basename(path);
  const at = name.lastIndexOf('.');
  return at <= 0 || name === '..' ? '' : name.slice(at);
}

function relative(from, to) {
  const start = resolve(from).split('/').filter(Boolean);
  const end = resolve(to).split('/').filter(Boolean);
  let same = 0;
  while (same < start.length && same < end.length && start[same] === end[same]) same++;
  return [...start.slice(same).map(() => '..'), ...end.slice(same)].join('/');
}

function parse(path) {
  const base = basename(path);
  const ext = extname(path);
  const root = path.startsWith('/') ? '/' : '';
  const dir = path.includes('/') ? dirname(path) : '';
  return { root, dir, base, ext, name: ext ? base.slice(0, -ext.length) : base };
}

function format({ dir, root = '', base, name = '', ext = '' }) {
  const file = base || name + ext;
  return dir ? (dir === root ? dir + file : dir + '/' + file) : root + file;
}

module.exports = {
  normalize, join, resolve, dirname, basename, extname, relative, parse, format,
  isAbsolute: (path) => text(path, 'path').startsWith('/'),
  toNamespacedPath: (path) => path,
  sep: '/',
  delimiter: ':',
};
module.exports.posix = module.exports;
