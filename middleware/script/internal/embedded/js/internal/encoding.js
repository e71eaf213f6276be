'use strict';

const { coded } = require('internal/errors');
const { begun } = require('internal/encodings');

class TextEncoder {
  get encoding() { return 'utf-8'; }
  encode(text = '') { return new Uint8Array(Buffer.from(String(text))); }
  encodeInto(text, target) {
    let read = 0;
    let written = 0;
    for (const character of String(text)) {
      const bytes = Buffer.from(character);
      if (written + bytes.length > target.length) break;
      target.set(bytes, written);
      written += bytes.length;
      read += character.length;
    }
    return { read, written };
  }
}

const labels = {
  'utf-8': 'utf-8', utf8: 'utf-8', 'unicode-1-1-utf-8': 'utf-8',
  'utf-16le': 'utf-16le', 'utf-16': 'utf-16le', 'ucs-2': 'utf-16le',
  'windows-1252': 'windows-1252', latin1: 'windows-1252', 'iso-8859-1': 'windows-1252', ascii: 'windows-1252', 'us-ascii': 'windows-1252',
};

const bytesOf = (data) => (data instanceof ArrayBuffer ? Buffer.from(data) : Buffer.from(data.buffer, data.byteOffset, data.byteLength));

class TextDecoder {
  constructor(label = 'utf-8', { fatal = false, ignoreBOM = false } = {}) {
    const encoding = labels[String(label).trim().toLowerCase()];
    if (!encoding) throw coded(RangeError, 'ERR_ENCODING_NOT_SUPPORTED', 'The "' + label + '" encoding is not supported');
    Object.assign(this, { encoding, fatal, ignoreBOM });
    Object.defineProperty(this, '_reset', { value: () => { this._rest = Buffer.alloc(0); this._begun = false; } });
    for (const name of ['_rest', '_begun']) Object.defineProperty(this, name, { writable: true });
    this._reset();
  }
  decode(data = new Uint8Array(), { stream = false } = {}) {
    const fresh = data.byteLength > 0 ? bytesOf(data) : Buffer.alloc(0);
    const bytes = this._rest.length > 0 ? Buffer.concat([this._rest, fresh]) : fresh;
    const end = stream ? whole(bytes, this.encoding) : bytes.length;
    this._rest = end < bytes.length ? bytes.slice(end) : Buffer.alloc(0);
    let text = this._text(bytes.slice(0, end));
    if (!this._begun && !this.ignoreBOM && this.encoding !== 'windows-1252') text = text.replace(/^\ufeff/, '');
    this._begun = this._begun || end > 0;
    if (!stream) this._reset();
    return text;
  }
  _text(bytes) {
    if (this.encoding === 'windows-1252') return bytes.toString('latin1');
    const text = this.encoding === 'utf-8' ? bytes.toString() : bytes.toString('utf16le') + (bytes.length % 2 === 1 ? '\ufffd' : '');
    if (this.fatal && text.includes('\ufffd') && (this.encoding !== 'utf-8' || !Buffer.from(text).equals(bytes))) {
      throw coded(TypeError, 'ERR_ENCODING_INVALID_ENCODED_DATA', 'The encoded data was not valid for encoding ' + this.encoding);
    }
    return text;
  }
}

// The length of bytes without a character that has only begun.
function whole(bytes, encoding) {
  if (encoding === 'windows-1252') return bytes.length;
  return encoding === 'utf-8' ? bytes.length - begun(bytes, 'utf8') : bytes.length & ~1;
}

module.exports = { TextEncoder, TextDecoder };
