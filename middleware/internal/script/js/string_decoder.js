'use strict';

const { invalidType } = require('internal/errors');
const { need } = require('internal/encodings');

// Text out of chunks that may end within a character.
class StringDecoder {
  constructor(encoding) {
    this.encoding = encoding === undefined || encoding === null || encoding === '' ? 'utf8' : need(encoding);
    this.rest = Buffer.alloc(0);
  }
  write(chunk) {
    if (typeof chunk === 'string') return chunk;
    if (!ArrayBuffer.isView(chunk)) throw invalidType('buf', 'an instance of Buffer, TypedArray, or DataView', chunk);
    const fresh = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const bytes = this.rest.length > 0 ? Buffer.concat([this.rest, fresh]) : fresh;
    const end = bytes.length - (begun[this.encoding] || none)(bytes);
    this.rest = bytes.subarray(end);
    return bytes.subarray(0, end).toString(this.encoding);
  }
  end(chunk) {
    const text = chunk ? this.write(chunk) : '';
    const last = this.rest.toString(this.encoding);
    this.rest = Buffer.alloc(0);
    return text + last;
  }
}

const none = () => 0;

// How many bytes at the end are of a character that has only begun.
const begun = {
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

module.exports = { StringDecoder };
Object.defineProperty(module.exports, 'whole', { value: (bytes) => bytes.length - begun.utf8(bytes) }); // for TextDecoder
