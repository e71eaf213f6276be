'use strict';

const { unknownEncoding } = require('internal/errors');

const encodings = new Map(Object.entries({
  'utf8': 'utf8', 'utf-8': 'utf8', 'ucs2': 'utf16le', 'ucs-2': 'utf16le', 'utf16le': 'utf16le', 'utf-16le': 'utf16le', 'latin1': 'latin1',
  'binary': 'latin1', 'ascii': 'ascii', 'hex': 'hex', 'base64': 'base64', 'base64url': 'base64url',
}));

// The one name of an encoding, or undefined.
const find = (name) => encodings.get(String(name).toLowerCase());

function need(name) {
  const encoding = find(name);
  if (encoding === undefined) throw unknownEncoding(name);
  return encoding;
}

const rests = {
  utf8(bytes) {
    for (let back = 1; back <= 3 && back <= bytes.length; back++) {
      const byte = bytes[bytes.length - back];
      if (byte < 0x80) break;
      if (byte >= 0xc0) {
        const size = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
        return size > back ? back : 0;
      }
    }
    return 0;
  },
  utf16le(bytes) {
    const odd = bytes.length % 2;
    const last = bytes.length - odd - 1; // with the upper half of the last unit
    return last > 0 && bytes[last] >= 0xd8 && bytes[last] <= 0xdb ? odd + 2 : odd;
  },
  base64: (bytes) => bytes.length % 3,
  base64url: (bytes) => bytes.length % 3,
};

// How many bytes at the end are of a character that has only begun.
const begun = (bytes, encoding) => (rests[encoding] ? rests[encoding](bytes) : 0);

module.exports = { find, need, begun };
