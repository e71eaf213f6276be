'use strict';

const escape = encodeURIComponent;

// What is no escape stays as it is.
function unescape(text) {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    const parts = text.split(/%([0-9a-f]{2})/i).map((part, i) => Buffer.from(part, i % 2 === 0 ? 'utf8' : 'hex'));
    return Buffer.concat(parts).toString();
  }
}

const word = (value) => (['string', 'bigint', 'boolean'].includes(typeof value) || Number.isFinite(value) ? String(value) : '');

function stringify(object, separator, equals) {
  const fields = [];
  for (const [key, value] of Object.entries(Object(object) === object ? object : {})) {
    for (const one of [].concat(value)) fields.push(escape(key) + (equals || '=') + escape(word(one)));
  }
  return fields.join(separator || '&');
}

function parse(text, separator, equals) {
  const object = Object.create(null);
  for (const field of String(text || '').split(separator || '&').filter(Boolean)) {
    const [key, ...rest] = field.split(equals || '=').map((part) => unescape(part.replace(/\+/g, ' ')));
    const value = rest.join(equals || '=');
    object[key] = key in object ? [].concat(object[key], value) : value;
  }
  return object;
}

Object.assign(exports, { escape, unescape, stringify, parse, encode: stringify, decode: parse });
