'use strict';

const escape = encodeURIComponent;

// What is no escape stays as it is.
function unescape(text) {
  try {
    return decodeURIComponent(text);
  } catch (e) {
    return Buffer.concat(text.split(/(%[0-9a-f]{2})/i).map((part) => {
      return /^%[0-9a-f]{2}$/i.test(part) ? Buffer.from(part.slice(1), 'hex') : Buffer.from(part);
    })).toString();
  }
}

const word = (value) => (['string', 'bigint', 'boolean'].includes(typeof value) || Number.isFinite(value) ? String(value) : '');

function stringify(object, separator, equals, options) {
  const encode = (options && options.encodeURIComponent) || exports.escape;
  const fields = [];
  for (const [key, value] of typeof object === 'object' ? Object.entries(object || {}) : []) {
    for (const one of [].concat(value)) fields.push(encode(key) + (equals || '=') + encode(word(one)));
  }
  return fields.join(separator || '&');
}

function parse(text, separator, equals, options) {
  const { maxKeys = 1000, decodeURIComponent: decode = exports.unescape } = options || {};
  const object = Object.create(null);
  const fields = String(text || '').split(separator || '&').filter(Boolean);
  for (const field of maxKeys > 0 ? fields.slice(0, maxKeys) : fields) {
    const at = field.indexOf(equals || '=');
    const plain = (s) => decode(s.replace(/\+/g, '%20'));
    const key = plain(at < 0 ? field : field.slice(0, at));
    const value = at < 0 ? '' : plain(field.slice(at + (equals || '=').length));
    object[key] = key in object ? [].concat(object[key], value) : value;
  }
  return object;
}

Object.assign(exports, { escape, unescape, stringify, parse, encode: stringify, decode: parse });
