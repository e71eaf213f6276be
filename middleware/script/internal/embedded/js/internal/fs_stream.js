'use strict';

const { Readable } = require('stream');
const { invalidType, outOfRange } = require('internal/errors');

function whole(name, value) {
  if (value === undefined) return;
  if (typeof value !== 'number') throw invalidType(name, 'of type number', value);
  if (!(value >= 0)) throw outOfRange(name, '>= 0 && <= 9007199254740991', value);
}

// A file as a stream. No more of it is read than is asked for.
module.exports = (fs) => class ReadStream extends Readable {
  constructor(path, options) {
    const { start, end = Infinity, fd = null, autoClose = true, highWaterMark = 65536, encoding, signal } = typeof options === 'string'
      ? { encoding: options } : options || {};
    whole('start', start);
    whole('end', end);
    if (start > end) throw outOfRange('start', '<= "end" (here: ' + end + ')', start);
    super({ highWaterMark, encoding, signal });
    Object.assign(this, { path, fd, start, end, autoClose, bytesRead: 0, pending: true });
    Object.defineProperty(this, '_position', { value: start, writable: true });
    if (fd !== null) {
      this.pending = false;
      return;
    }
    fs.open(path, 'r', (error, opened) => {
      if (error || this.destroyed) {
        if (opened !== undefined) fs.close(opened, () => {});
        this.destroy(error);
        return;
      }
      this.fd = opened;
      this.pending = false;
      this.emit('open', opened);
      this.emit('ready');
      this._read();
    });
  }
  _read() {
    if (this.fd === null) return; // it is read when it is open
    const left = this._position === undefined ? this.end - this.bytesRead + 1 : this.end - this._position + 1;
    if (left <= 0) {
      this.push(null);
      return;
    }
    const bytes = Buffer.alloc(Math.min(this.readableHighWaterMark, left));
    fs.read(this.fd, bytes, 0, bytes.length, this._position === undefined ? null : this._position, (error, count) => {
      if (error) {
        this.destroy(error);
        return;
      }
      if (this._position !== undefined) this._position += count;
      this.bytesRead += count;
      this.push(count === 0 ? null : count < bytes.length ? bytes.slice(0, count) : bytes);
    });
  }
  _destroy(error, callback) {
    const { fd } = this;
    if (fd === null || !this.autoClose) return callback(error);
    this.fd = null;
    return fs.close(fd, (failure) => callback(error || failure));
  }
  close(callback) {
    if (callback) this.once('close', callback);
    this.destroy();
  }
};
