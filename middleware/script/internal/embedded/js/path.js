'use strict';

const { check } = require('internal/errors');

function normalize(path) {
  check(path, 'string', 'path');
  const absolute = path.startsWith('/');
  const parts = [];
  for (const part of path.split('/')) {
    if (part === '..' && (parts.length > 0 ? parts[parts.length - 1] !== '..' : absolute)) {
      parts.pop();
    } else if (part !== '' && part !== '.') {
      parts.push(part);
    }
  }
  const text = (absolute ? '/' : '') + parts.join('/') || '.';
  return path.endsWith('/') && text !== '/' ? text + '/' : text;
}

function join(...parts) {
  parts.forEach((part) => check(part, 'string', 'path'));
  return normalize(parts.filter(Boolean).join('/'));
}

function resolve(...parts) {
  let path = '';
  for (const part of [process.cwd(), ...parts].reverse()) {
    check(part, 'string', 'path');
    if (part && !path.startsWith('/')) path = part + '/' + path;
  }
  return normalize(path).replace(/(.)\/$/, '$1');
}

const trimmed = (path) => path.replace(/(.)\/+$/, '$1');

function dirname(path) {
  check(path, 'string', 'path');
  const at = trimmed(path).lastIndexOf('/');
  return at < 0 ? '.' : trimmed(path.slice(0, at)) || '/';
}

function basename(path, ending) {
  check(path, 'string', 'path');
  const name = trimmed(path).replace(/^.*\//s, '');
  return ending && name !== ending && name.endsWith(ending) ? name.slice(0, -ending.length) : name;
}

function extname(path) {
  const name = basename(path);
  const at = name.lastIndexOf('.');
  return at <= 0 || name === '..' ? '' : name.slice(at);
}

function relative(from, to) {
  const [start, end] = [from, to].map((path) => resolve(path).split('/').filter(Boolean));
  let same = 0;
  while (same < start.length && same < end.length && start[same] === end[same]) same++;
  return [...start.slice(same).map(() => '..'), ...end.slice(same)].join('/');
}

function parse(path) {
  const [base, ext] = [basename(path), extname(path)];
  const dir = path.includes('/') ? dirname(path) : '';
  return { root: path.startsWith('/') ? '/' : '', dir, base, ext, name: ext ? base.slice(0, -ext.length) : base };
}

function format({ dir, root = '', base, name = '', ext = '' }) {
  const file = base || name + ext;
  return dir && dir !== root ? dir + '/' + file : root + file;
}

module.exports = { normalize, join, resolve, dirname, basename, extname, relative, parse, format, sep: '/', delimiter: ':' };
module.exports.isAbsolute = (path) => normalize(path).startsWith('/');
module.exports.posix = module.exports;
