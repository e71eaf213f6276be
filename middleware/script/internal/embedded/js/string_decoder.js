'use strict';

const { invalidType } = require('internal/errors');
const { need, begun } = require('internal/encodings');

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
    const end = bytes.length - begun(bytes, this.encoding);
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

module.exports = { StringDecoder };
