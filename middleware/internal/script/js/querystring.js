'use strict';

const escape = encodeURIComponent;

function unescape(text) {
  try {
    return decodeURIComponent(text);
  } catch (e) {
    return text;
  }
}

function word(value) {
  return ['string', 'number', 'bigint', 'boolean'].includes(typeof value) ? String(value) : '';
}

exports.stringify = function (object, separator = '&', equals = '=') {
  const fields = [];
  for (const [key, value] of Object.entries(object || {})) {
    for (const one of Array.isArray(value) ? value : [value]) {
      fields.push(exports.escape(key) + equals + exports.escape(word(one)));
    }
  }
  return fields.join(separator);
};

exports.parse = function (text, separator = '&', equals = '=', { maxKeys = 1000 } = {}) {
  const object = Object.create(null);
  if (typeof text !== 'string' || text === '') return object;
  const fields = text.split(separator);
  for (const field of maxKeys > 0 ? fields.slice(0, maxKeys) : fields) {
    if (field === '') continue;
    const at = field.indexOf(equals);
    const plain = (s) => exports.unescape(s.replace(/\+/g, ' '));
    const key = plain(at < 0 ? field : field.slice(0, at));
    const value = at < 0 ? '' : plain(field.slice(at + equals.length));
    if (key in object) {
      object[key] = [].concat(object[key], value);
    } else {
      object[key] = value;
    }
  }
  return object;
};

exports.escape = escape;
exports.unescape = unescape;
exports.encode = exports.stringify;
exports.decode = exports.parse;
