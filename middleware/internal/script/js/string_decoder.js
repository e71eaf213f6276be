'use strict';

// Text out of chunks that may end within a character.
class StringDecoder {
  constructor(encoding = 'utf8') {
    this.encoding = encoding;
    this.rest = Buffer.alloc(0);
  }
  write(chunk) {
    const fresh = Buffer.from(chunk);
    const bytes = this.rest.length > 0 ? Buffer.concat([this.rest, fresh]) : fresh;
    const end = /^utf-?8$/i.test(this.encoding) ? whole(bytes) : bytes.length;
    this.rest = end < bytes.length ? bytes.subarray(end) : Buffer.alloc(0);
    return bytes.subarray(0, end).toString(this.encoding);
  }
  end(chunk) {
    const text = chunk ? this.write(chunk) : '';
    const last = this.rest.length > 0 ? this.rest.toString(this.encoding) : '';
    this.rest = Buffer.alloc(0);
    return text + last;
  }
}

// The length of bytes without a character of UTF-8 that has only begun.
function whole(bytes) {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back];
    if (byte < 0x80) break;
    if (byte >= 0xc0) {
      const size = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return size > back ? bytes.length - back : bytes.length;
    }
  }
  return bytes.length;
}

module.exports = { StringDecoder };
Object.defineProperty(module.exports, 'whole', { value: whole }); // for TextDecoder
