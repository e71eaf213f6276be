'use strict';

const escape = encodeURIComponent;

// What is no escape stays as it is.
function unescapeBuffer(text) {
  return Buffer.concat(text.split(/(%[0-9a-f]{2})/i).filter((part) => part !== '').map((part) => {
    return /^%[0-9a-f]{2}$/i.test(part) ? Buffer.from(part.slice(1), 'hex') : Buffer.from(part);
  }));
}

function unescape(text) {
  try {
    return decodeURIComponent(text);
  } catch (e) {
    return unescapeBuffer(String(text)).toString();
  }
}

function word(value) {
  if (typeof value === 'number') return isFinite(value) ? String(value) : '';
  return ['string', 'bigint', 'boolean'].includes(typeof value) ? String(value) : '';
}

exports.stringify = function (object, separator, equals, options) {
  const encode = (options && options.encodeURIComponent) || exports.escape;
  const fields = [];
  if (typeof object !== 'object') return '';
  for (const [key, value] of Object.entries(object || {})) {
    for (const one of Array.isArray(value) ? value : [value]) {
      fields.push(encode(key) + (equals || '=') + encode(word(one)));
    }
  }
  return fields.join(separator || '&');
};

exports.parse = function (text, separator, equals, options) {
  const { maxKeys = 1000, decodeURIComponent: decode = exports.unescape } = options || {};
  [separator, equals] = [separator || '&', equals || '='];
  const object = Object.create(null);
  if (typeof text !== 'string' || text === '') return object;
  const fields = text.split(separator);
  for (const field of maxKeys > 0 ? fields.slice(0, maxKeys) : fields) {
    if (field === '') continue;
    const at = field.indexOf(equals);
    const plain = (s) => decode(s.replace(/\+/g, '%20'));
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
exports.unescapeBuffer = unescapeBuffer;
exports.encode = exports.stringify;
exports.decode = exports.parse;
