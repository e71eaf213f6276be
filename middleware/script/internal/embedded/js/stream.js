'use strict';

const EventEmitter = require('events');
const { coded, invalidType, AbortError } = require('internal/errors');
const { StringDecoder } = require('string_decoder');

// Functions, not classes: packages call Readable.call(this).
function Stream() {}
Object.setPrototypeOf(Stream.prototype, EventEmitter.prototype);
Object.setPrototypeOf(Stream, EventEmitter);

const hidden = (object, name, value) => Object.defineProperty(object, name, { value, writable: true, configurable: true, enumerable: false });
const define = (prototype, methods) => {
  for (const name of Reflect.ownKeys(methods)) {
    Object.defineProperty(prototype, name, Object.assign(Object.getOwnPropertyDescriptor(methods, name), { enumerable: false }));
  }
};
const isEmpty = (chunk) => chunk === '' || (chunk instanceof Uint8Array && chunk.length === 0);

// What readable and writable streams have in common: they end once, by an error or without.
const ending = {
  destroy(error, callback) {
    if (this.destroyed) return this;
    this.destroyed = true;
    this.errored = error || null;
    this._destroy(error || null, (failure) => process.nextTick(() => {
      if (callback) callback(failure);
      if (failure && !(callback && this.listenerCount('error') === 0)) this.emit('error', failure);
      this.closed = true;
      this.emit('close');
    }));
    return this;
  },
  _destroy(error, callback) { callback(error); },
};

function Readable(options) {
  if (!(this instanceof Readable)) return new Readable(options);
  beginReading(this, options || {});
  return undefined;
}

function beginReading(stream, options) {
  const { objectMode = false, readableObjectMode = objectMode, highWaterMark = readableObjectMode ? 16 : 65536 } = options;
  hidden(stream, '_readableState', {
    buffer: [], length: 0, objectMode: readableObjectMode, highWaterMark, flowing: null, ended: false, endEmitted: false, reading: false,
    decoder: null, told: false, pipes: [],
  });
  begin(stream, options, ['read', 'destroy']);
  if (options.encoding) stream.setEncoding(options.encoding);
}

function begin(stream, options, methods) {
  for (const name of ['destroyed', 'closed', 'errored']) if (stream[name] === undefined) hidden(stream, name, name === 'errored' ? null : false);
  for (const name of methods) if (typeof options[name] === 'function') hidden(stream, '_' + name, options[name]);
  if (options.signal) {
    const { signal } = options;
    const abort = () => stream.destroy(new AbortError(signal.reason));
    if (signal.aborted) process.nextTick(abort);
    else signal.addEventListener('abort', abort);
  }
}

Object.setPrototypeOf(Readable.prototype, Stream.prototype);
Object.setPrototypeOf(Readable, Stream);
define(Readable.prototype, ending);
define(Readable.prototype, {
  _read() { throw coded(Error, 'ERR_METHOD_NOT_IMPLEMENTED', 'The _read() method is not implemented'); },
  push(chunk, encoding) {
    const state = this._readableState;
    state.reading = false;
    if (state.ended || this.destroyed) return false;
    if (chunk === null) {
      state.ended = true;
      if (state.decoder) keep(state, state.decoder.end());
    } else if (state.objectMode) {
      keep(state, chunk);
    } else {
      if (typeof chunk !== 'string' && !(chunk instanceof Uint8Array)) {
        this.destroy(invalidType('chunk', 'of type string or an instance of Buffer or Uint8Array', chunk));
        return false;
      }
      const bytes = typeof chunk === 'string' && !(state.decoder && state.decoder.encoding === encoding) ? Buffer.from(chunk, encoding) : chunk;
      keep(state, state.decoder ? state.decoder.write(bytes) : bytes);
    }
    tell(this);
    return !state.ended && state.length < state.highWaterMark;
  },
  read(size) {
    const state = this._readableState;
    const left = size === 0 ? state.length : state.length - (size === undefined ? amount(state) : Math.min(size, state.length));
    if (!state.reading && !state.ended && !this.destroyed && left < state.highWaterMark) {
      state.reading = true;
      this._read(state.highWaterMark); // what it has at once is read with the rest
    }
    const chunk = size === 0 ? null : take(state, size);
    if (state.ended && state.length === 0) finishReading(this);
    if (chunk !== null) this.emit('data', chunk);
    return chunk;
  },
  on(name, listener) {
    EventEmitter.prototype.on.call(this, name, listener);
    const state = this._readableState;
    if (name === 'data' && state.flowing !== false && this.listenerCount('readable') === 0) this.resume();
    if (name === 'readable') {
      state.flowing = false;
      process.nextTick(() => { this.read(0); tell(this); });
    }
    return this;
  },
  resume() {
    const state = this._readableState;
    if (!state.flowing) {
      state.flowing = this.listenerCount('readable') === 0;
      process.nextTick(() => { this.emit('resume'); this.read(0); flow(this); });
    }
    return this;
  },
  pause() {
    if (this._readableState.flowing !== false) {
      this._readableState.flowing = false;
      this.emit('pause');
    }
    return this;
  },
  isPaused() { return this._readableState.flowing === false; },
  setEncoding(encoding) {
    const state = this._readableState;
    state.decoder = new StringDecoder(encoding);
    const texts = state.buffer.map((chunk) => state.decoder.write(chunk)).filter((text) => text !== '');
    state.buffer = [];
    state.length = 0;
    texts.forEach((text) => keep(state, text));
    return this;
  },
  unshift(chunk, encoding) {
    if (typeof chunk === 'string' && !this._readableState.objectMode && !this._readableState.decoder) chunk = Buffer.from(chunk, encoding);
    this._readableState.buffer.unshift(chunk);
    this._readableState.length += this._readableState.objectMode ? 1 : chunk.length;
    tell(this);
  },
  pipe(target, { end = true } = {}) {
    const data = (chunk) => { if (target.write(chunk) === false) this.pause(); };
    const drain = () => this.resume();
    const done = () => target.end();
    this._readableState.pipes.push({ target, stop: () => {
      this.removeListener('data', data).removeListener('end', done);
      target.removeListener('drain', drain);
    } });
    target.on('drain', drain);
    if (end) this.once('end', done);
    target.emit('pipe', this);
    return this.on('data', data) && target;
  },
  unpipe(target) {
    const state = this._readableState;
    const left = state.pipes.filter((one) => target === undefined || one.target === target);
    state.pipes = state.pipes.filter((one) => !left.includes(one));
    for (const one of left) {
      one.stop();
      one.target.emit('unpipe', this, { hasUnpiped: false });
    }
    if (state.pipes.length === 0) this.pause();
    return this;
  },
  [Symbol.asyncIterator]() { return iterate(this); },
  get readable() { return !this.destroyed && !this._readableState.endEmitted; },
  get readableEnded() { return this._readableState.endEmitted; },
  get readableFlowing() { return this._readableState.flowing; },
  get readableLength() { return this._readableState.length; },
  get readableHighWaterMark() { return this._readableState.highWaterMark; },
  get readableEncoding() { return this._readableState.decoder && this._readableState.decoder.encoding; },
  get readableObjectMode() { return this._readableState.objectMode; },
});
Readable.from = (source) => {
  const iterator = typeof source === 'string' || source instanceof Uint8Array ? [source].values() : (source[Symbol.asyncIterator] || source[Symbol.iterator]).call(source);
  const stream = new Readable({ objectMode: true, highWaterMark: 1 });
  stream._read = () => {
    Promise.resolve(iterator.next()).then(async ({ value, done }) => stream.push(done ? null : await value)).catch((error) => stream.destroy(error));
  };
  return stream;
};

function keep(state, chunk) {
  if (!state.objectMode && isEmpty(chunk)) return;
  state.buffer.push(chunk);
  state.length += state.objectMode ? 1 : chunk.length;
}

// How much a read without a size takes: all that is there, unless it is one after the other that is wanted.
function amount(state) {
  return state.flowing && state.buffer.length > 0 && !state.objectMode ? state.buffer[0].length : state.objectMode ? Math.min(1, state.length) : state.length;
}

function take(state, size) {
  if (state.buffer.length === 0) return null;
  if (state.objectMode || (size === undefined && state.flowing)) {
    const chunk = state.buffer.shift();
    state.length -= state.objectMode ? 1 : chunk.length;
    return chunk;
  }
  if (size > state.length && !state.ended) return null;
  const all = state.decoder ? state.buffer.join('') : state.buffer.length === 1 ? state.buffer[0] : Buffer.concat(state.buffer);
  const whole = size === undefined || size >= all.length;
  state.buffer = whole ? [] : [all.slice(size)];
  state.length = whole ? 0 : all.length - size;
  return whole ? all : all.slice(0, size);
}

function tell(stream) {
  const state = stream._readableState;
  if (state.told || (state.length === 0 && !state.ended)) return;
  state.told = true;
  process.nextTick(() => {
    state.told = false;
    if (!stream.destroyed && !state.endEmitted) stream.emit('readable');
    flow(stream);
  });
}

function flow(stream) {
  const state = stream._readableState;
  while (state.flowing && stream.read() !== null);
  if (!stream.destroyed && !state.reading && !state.ended && (state.flowing || stream.listenerCount('readable') > 0)) stream.read(0);
}

function finishReading(stream) {
  const state = stream._readableState;
  if (state.endEmitted || state.ending || stream.destroyed) return;
  state.ending = true;
  process.nextTick(() => {
    if (stream.destroyed || state.length > 0) return;
    state.endEmitted = true;
    stream.emit('end');
    if (!stream._writableState || stream._writableState.finished) stream.destroy();
    else if (stream.allowHalfOpen === false) stream.end();
  });
}

function iterate(stream) {
  let wake = () => {};
  const stir = () => wake();
  stream.on('readable', stir).on('end', stir).on('close', stir).on('error', stir);
  return {
    async next() {
      for (;;) {
        const value = stream.destroyed ? null : stream.read();
        if (value !== null) return { value, done: false };
        if (stream.errored) throw stream.errored;
        if (stream.readableEnded) return { value: undefined, done: true };
        if (stream.destroyed) throw coded(Error, 'ERR_STREAM_PREMATURE_CLOSE', 'Premature close');
        await new Promise((resolve) => { wake = resolve; });
      }
    },
    async return() {
      stream.destroy();
      return { value: undefined, done: true };
    },
    [Symbol.asyncIterator]() { return this; },
  };
}

module.exports = Object.assign(Stream, { Stream, Readable });
Object.assign(Stream, require('internal/writable')({ Stream, Readable, beginReading, begin, define, hidden, ending }));
Stream.promises = require('internal/finished')(Stream);
