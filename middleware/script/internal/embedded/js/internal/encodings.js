'use strict';

const { coded } = require('internal/errors');

const encodings = new Map(Object.entries({
  'utf8': 'utf8', 'utf-8': 'utf8', 'ucs2': 'utf16le', 'ucs-2': 'utf16le', 'utf16le': 'utf16le', 'utf-16le': 'utf16le', 'latin1': 'latin1',
  'binary': 'latin1', 'ascii': 'ascii', 'hex': 'hex', 'base64': 'base64', 'base64url': 'base64url',
}));

// The one name of an encoding, or undefined.
exports.find = (name) => encodings.get(String(name).toLowerCase());
exports.need = (name) => {
  const encoding = exports.find(name);
  if (encoding === undefined) throw coded(TypeError, 'ERR_UNKNOWN_ENCODING', 'Unknown encoding: ' + String(name));
  return encoding;
};
