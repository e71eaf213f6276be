'use strict';

const { coded, invalidType } = require('internal/errors');

// The streams that are written to, made of what js/stream.js has for all.
module.exports = ({ Stream, Readable, beginReading, begin, define, hidden, ending }) => {
  function Writable(options) {
    if (!(this instanceof Writable) && !(this instanceof Duplex)) return new Writable(options);
    beginWriting(this, options || {});
    return undefined;
  }

  function beginWriting(stream, options) {
    const { objectMode = false, writableObjectMode = objectMode, highWaterMark = writableObjectMode ? 16 : 16384, decodeStrings = true } = options;
    hidden(stream, '_writableState', {
      queue: [], length: 0, objectMode: writableObjectMode, highWaterMark, decodeStrings, writing: false, needDrain: false, ending: false, finished: false,
    });
    begin(stream, options, ['write', 'final', 'destroy']);
  }

  function next(stream) {
    const state = stream._writableState;
    if (state.writing || stream.destroyed) return;
    const one = state.queue.shift();
    if (!one) {
      if (state.ending) finish(stream);
      return;
    }
    state.writing = true;
    stream._write(one.chunk, one.encoding, (error) => {
      state.writing = false;
      state.length -= one.size;
      process.nextTick(() => one.callback(error || null));
      if (error) {
        stream.destroy(error);
        return;
      }
      if (state.needDrain && state.length < state.highWaterMark && !state.ending) {
        state.needDrain = false;
        process.nextTick(() => stream.emit('drain'));
      }
      process.nextTick(next, stream);
    });
  }

  function finish(stream) {
    const state = stream._writableState;
    state.writing = true;
    stream._final((error) => process.nextTick(() => {
      if (error) {
        stream.destroy(error);
        return;
      }
      state.finished = true;
      stream.emit('finish');
      if (!stream._readableState || stream._readableState.endEmitted) stream.destroy();
    }));
  }

  const writing = {
    _write(chunk, encoding, callback) { callback(coded(Error, 'ERR_METHOD_NOT_IMPLEMENTED', 'The _write() method is not implemented')); },
    _final(callback) { callback(); },
    write(chunk, encoding, callback) {
      if (typeof encoding === 'function') [callback, encoding] = [encoding, undefined];
      const state = this._writableState;
      const failure = state.ending ? coded(Error, 'ERR_STREAM_WRITE_AFTER_END', 'write after end')
        : this.destroyed ? coded(Error, 'ERR_STREAM_DESTROYED', 'Cannot call write after a stream was destroyed') : null;
      if (failure) {
        process.nextTick(callback || (() => {}), failure);
        this.destroy(failure);
        return false;
      }
      if (chunk === null) throw coded(TypeError, 'ERR_STREAM_NULL_VALUES', 'May not write null values to stream');
      if (!state.objectMode && typeof chunk !== 'string' && !(chunk instanceof Uint8Array)) {
        throw invalidType('chunk', 'of type string or an instance of Buffer or Uint8Array', chunk);
      }
      if (typeof chunk === 'string' && state.decodeStrings && !state.objectMode) [chunk, encoding] = [Buffer.from(chunk, encoding), 'buffer'];
      const size = state.objectMode ? 1 : chunk.length;
      state.queue.push({ chunk, size, encoding: encoding || 'utf8', callback: callback || (() => {}) });
      state.length += size;
      state.needDrain = state.length >= state.highWaterMark;
      next(this);
      return !state.needDrain;
    },
    end(chunk, encoding, callback) {
      const done = [chunk, encoding, callback].find((one) => typeof one === 'function');
      if (chunk !== undefined && chunk !== null && typeof chunk !== 'function') this.write(chunk, encoding);
      if (done) this.once('finish', done);
      if (!this._writableState.ending) {
        this._writableState.ending = true;
        process.nextTick(next, this);
      }
      return this;
    },
    cork() {},
    uncork() {},
    setDefaultEncoding() { return this; },
    get writable() { return !this.destroyed && !this._writableState.ending; },
    get writableEnded() { return this._writableState.ending; },
    get writableFinished() { return this._writableState.finished; },
    get writableLength() { return this._writableState.length; },
    get writableHighWaterMark() { return this._writableState.highWaterMark; },
    get writableNeedDrain() { return this._writableState.needDrain; },
    get writableObjectMode() { return this._writableState.objectMode; },
  };
  Object.setPrototypeOf(Writable.prototype, Stream.prototype);
  Object.setPrototypeOf(Writable, Stream);
  define(Writable.prototype, ending);
  define(Writable.prototype, writing);

  function Duplex(options = {}) {
    if (!(this instanceof Duplex)) return new Duplex(options);
    beginReading(this, options);
    beginWriting(this, options);
    hidden(this, 'allowHalfOpen', options.allowHalfOpen !== false);
    return undefined;
  }
  Object.setPrototypeOf(Duplex.prototype, Readable.prototype);
  Object.setPrototypeOf(Duplex, Readable);
  define(Duplex.prototype, writing);

  function Transform(options = {}) {
    if (!(this instanceof Transform)) return new Transform(options);
    Duplex.call(this, options);
    begin(this, options, ['transform', 'flush']);
    hidden(this, '_held', null); // goes on with writing when what came of it was read
    return undefined;
  }
  Object.setPrototypeOf(Transform.prototype, Duplex.prototype);
  Object.setPrototypeOf(Transform, Duplex);
  define(Transform.prototype, {
    _transform(chunk, encoding, callback) { callback(coded(Error, 'ERR_METHOD_NOT_IMPLEMENTED', 'The _transform() method is not implemented')); },
    _flush(callback) { callback(); },
    _write(chunk, encoding, callback) {
      this._transform(chunk, encoding, (error, value) => {
        if (!error && value !== undefined && value !== null) this.push(value);
        if (error || this.readableLength < this.readableHighWaterMark) callback(error);
        else this._held = callback;
      });
    },
    _final(callback) {
      this._flush((error, value) => {
        if (!error && value !== undefined && value !== null) this.push(value);
        if (!error) this.push(null);
        callback(error);
      });
    },
    _read() {
      const go = this._held;
      this._held = null;
      if (go) go();
    },
  });

  function PassThrough(options) {
    if (!(this instanceof PassThrough)) return new PassThrough(options);
    Transform.call(this, options);
    return undefined;
  }
  Object.setPrototypeOf(PassThrough.prototype, Transform.prototype);
  Object.setPrototypeOf(PassThrough, Transform);
  define(PassThrough.prototype, { _transform(chunk, encoding, callback) { callback(null, chunk); } });

  return { Writable, Duplex, Transform, PassThrough };
};
