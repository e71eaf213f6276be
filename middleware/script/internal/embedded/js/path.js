'use strict';

function normalize(path) {
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

const trimmed = (path) => path.replace(/(.)\/+$/, '$1');
const join = (...parts) => normalize(parts.filter((part) => part.length > 0).join('/'));

function resolve(...parts) {
  const all = [process.cwd(), ...parts];
  const start = all.findLastIndex((part) => part.startsWith('/'));
  return trimmed(join(...all.slice(Math.max(0, start))));
}

function dirname(path) {
  const at = trimmed(path).lastIndexOf('/');
  return at < 0 ? '.' : trimmed(path.slice(0, at)) || '/';
}

function basename(path, ending = '') {
  const name = trimmed(path).replace(/^.*\//s, '');
  return name !== ending && name.endsWith(ending) ? name.slice(0, name.length - ending.length) : name;
}

function extname(path) {
  const name = basename(path);
  const at = name.lastIndexOf('.');
  return at <= 0 || name === '..' ? '' : name.slice(at);
}

function relative(from, to) {
  const [start, end] = [from, to].map((path) => resolve(path).split('/').filter(Boolean));
  let same = 0;
  while (same < start.length && start[same] === end[same]) same++;
  return [...start.slice(same).map(() => '..'), ...end.slice(same)].join('/');
}

function parse(path) {
  const [base, ext] = [basename(path), extname(path)];
  return { root: path.startsWith('/') ? '/' : '', dir: path.includes('/') ? dirname(path) : '', base, ext, name: basename(base, ext) };
}

module.exports = { normalize, join, resolve, dirname, basename, extname, relative, parse, sep: '/', delimiter: ':' };
module.exports.isAbsolute = (path) => path.startsWith('/');
module.exports.posix = module.exports;
