'use strict';

const { coded } = require('internal/errors');

class TextEncoder {
  get encoding() { return 'utf-8'; }
  encode(text = '') { return new Uint8Array(Buffer.from(String(text))); }
}

const labels = {
  'utf-8': 'utf-8', utf8: 'utf-8', 'utf-16le': 'utf-16le', 'utf-16': 'utf-16le',
  'windows-1252': 'windows-1252', latin1: 'windows-1252', 'iso-8859-1': 'windows-1252', ascii: 'windows-1252',
};

class TextDecoder {
  constructor(label = 'utf-8', { fatal = false, ignoreBOM = false } = {}) {
    const encoding = labels[String(label).trim().toLowerCase()];
    if (!encoding) throw coded(RangeError, 'ERR_ENCODING_NOT_SUPPORTED', 'The "' + label + '" encoding is not supported');
    Object.assign(this, { encoding, fatal, ignoreBOM });
  }
  decode(data = new Uint8Array(), { stream = false } = {}) {
    if (stream) throw new Error('TextDecoder.decode: parts of a stream: needs runtime node');
    const bytes = data instanceof ArrayBuffer ? Buffer.from(data) : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    if (this.encoding === 'windows-1252') return bytes.toString('latin1');
    const name = this.encoding.replace('-', '').replace('-', ''); // utf8 or utf16le
    const text = bytes.toString(name) + (name === 'utf16le' && bytes.length % 2 === 1 ? '\ufffd' : '');
    if (this.fatal && text.includes('\ufffd') && !Buffer.from(text, name).equals(bytes)) {
      throw coded(TypeError, 'ERR_ENCODING_INVALID_ENCODED_DATA', 'The encoded data was not valid for encoding ' + this.encoding);
    }
    return this.ignoreBOM ? text : text.replace(/^\ufeff/, '');
  }
}

module.exports = { TextEncoder, TextDecoder };
