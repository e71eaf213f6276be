'use strict';

const EventEmitter = require('events');

const hidden = (object, name, value) => Object.defineProperty(object, name, { value, writable: true, configurable: true, enumerable: false });

// The answer of a service. Its body is kept until somebody listens.
class IncomingMessage extends EventEmitter {
  constructor(head) {
    super();
    Object.assign(this, head);
    hidden(this, '_chunks', []);
    hidden(this, '_flowing', false);
    hidden(this, '_encoding', null);
    hidden(this, '_socket', null);
    this.complete = false;
  }
  setEncoding(encoding) {
    this._encoding = encoding;
    return this;
  }
  on(name, listener) {
    super.on(name, listener);
    if (name === 'data') this.resume();
    return this;
  }
  resume() {
    if (!this._flowing) {
      this._flowing = true;
      process.nextTick(() => this._deliver());
    }
    return this;
  }
  pause() {
    this._flowing = false;
    return this;
  }
  destroy() {
    this._request.destroy();
    return this;
  }
  get socket() { return {}; }
  _push(chunk) {
    this._chunks.push(chunk);
    this._deliver();
  }
  _finish(error) {
    this._chunks.push(error || null);
    this._deliver();
  }
  _deliver() {
    while (this._flowing && this._chunks.length > 0) {
      const chunk = this._chunks.shift();
      if (chunk === null) {
        this.complete = true;
        this.emit('end');
        this.emit('close');
      } else if (chunk instanceof Error) {
        if (this.listenerCount('error') > 0) this.emit('error', chunk);
        this.emit('aborted');
        this.emit('close');
      } else {
        this.emit('data', this._encoding ? chunk.toString(this._encoding) : chunk);
      }
    }
  }
  [Symbol.asyncIterator]() {
    const ready = [];
    let ended = false;
    let failure = null;
    let wake = null;
    const stir = () => { if (wake) { wake(); wake = null; } };
    this.on('end', () => { ended = true; stir(); });
    this.on('error', (error) => { failure = error; stir(); });
    this.on('data', (chunk) => { ready.push(chunk); stir(); });
    return {
      next: async () => {
        while (ready.length === 0 && !ended && !failure) await new Promise((resolve) => { wake = resolve; });
        if (ready.length > 0) return { value: ready.shift(), done: false };
        if (failure) throw failure;
        return { value: undefined, done: true };
      },
      return: async () => {
        this.destroy();
        return { value: undefined, done: true };
      },
    };
  }
}

class ClientRequest extends EventEmitter {
  constructor(options) {
    super();
    hidden(this, '_options', options);
    hidden(this, '_headers', Object.assign({}, options.headers));
    hidden(this, '_body', []);
    hidden(this, '_abort', null);
    this.method = (options.method || 'GET').toUpperCase();
    this.path = options.path || '/';
    this.host = options.hostname || options.host || 'localhost';
    this.destroyed = false;
    this.finished = false;
    if (options.timeout) this.setTimeout(options.timeout);
  }
  setHeader(name, value) {
    this.removeHeader(name);
    this._headers[name] = value;
    return this;
  }
  getHeader(name) {
    const key = Object.keys(this._headers).find((k) => k.toLowerCase() === name.toLowerCase());
    return key && this._headers[key];
  }
  removeHeader(name) {
    for (const key of Object.keys(this._headers)) {
      if (key.toLowerCase() === name.toLowerCase()) delete this._headers[key];
    }
  }
  write(data, encoding, callback) {
    this._body.push(typeof data === 'string' ? Buffer.from(data, typeof encoding === 'string' ? encoding : 'utf8') : data);
    const done = callback || (typeof encoding === 'function' && encoding);
    if (done) process.nextTick(done);
    return true;
  }
  end(data, encoding, callback) {
    if (this.finished) return this;
    if (data !== undefined && data !== null && typeof data !== 'function') this.write(data, encoding);
    const done = [data, encoding, callback].find((f) => typeof f === 'function');
    if (done) this.once('finish', done);
    this.finished = true;
    if (!this.destroyed) this._send();
    return this;
  }
  setTimeout(ms, listener) {
    if (listener) this.once('timeout', listener);
    clearTimeout(this._timer);
    hidden(this, '_timer', ms > 0 ? setTimeout(() => this._ended || this.emit('timeout'), ms) : undefined);
    return this;
  }
  setNoDelay() { return this; }
  setSocketKeepAlive() { return this; }
  flushHeaders() {}
  abort() { return this.destroy(); }
  destroy(error) {
    if (this.destroyed) return this;
    this.destroyed = true;
    this.aborted = true;
    if (this._abort) this._abort();
    if (!this._ended) {
      const failure = error || Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
      process.nextTick(() => this._fail(failure));
    }
    return this;
  }
  _fail(error) {
    if (this._ended) return;
    this._close();
    if (this._response) {
      this._response._finish(error);
    } else {
      this.emit('error', error); // thrown if nobody listens
    }
    this.emit('close');
  }
  _close() {
    hidden(this, '_ended', true);
    clearTimeout(this._timer);
  }
  _send() {
    const { protocol, port, auth, socketPath, rejectUnauthorized } = this._options;
    if (auth && !this.getHeader('authorization')) {
      this.setHeader('Authorization', 'Basic ' + Buffer.from(auth).toString('base64'));
    }
    const host = this.host.includes(':') && !this.host.startsWith('[') ? '[' + this.host + ']' : this.host;
    this._abort = binding.request({
      url: protocol + '//' + host + (port ? ':' + port : '') + this.path,
      method: this.method,
      headers: this._headers,
      socketPath: socketPath || '',
      insecure: rejectUnauthorized === false,
    }, Buffer.concat(this._body.map((b) => Buffer.from(b))), {
      head: (head) => {
        const response = new IncomingMessage(head);
        hidden(response, '_request', this);
        hidden(this, '_response', response);
        if (!this.emit('response', response)) response.resume();
      },
      data: (chunk) => this._response._push(Buffer.from(chunk)),
      end: () => {
        this._close();
        this._response._finish();
        this.emit('close');
      },
      error: (error) => this._fail(error),
    });
    process.nextTick(() => this.emit('finish'));
  }
}

module.exports = (standard) => {
  function request(url, options, callback) {
    if (typeof url === 'string') url = new URL(url);
    if (url instanceof URL) {
      if (typeof options === 'function') [options, callback] = [{}, options];
      options = Object.assign(require('url').urlToHttpOptions(url), options);
    } else {
      [options, callback] = [Object.assign({}, url), typeof options === 'function' ? options : callback];
    }
    options.protocol = options.protocol || standard;
    if (options.protocol !== standard) {
      throw new TypeError('Protocol "' + options.protocol + '" not supported. Expected "' + standard + '"');
    }
    if (options.host && !options.hostname) {
      // Node takes a port in host for a part of the name; services that scripts name so are meant otherwise.
      options.hostname = options.host;
    }
    const made = new ClientRequest(options);
    if (callback) made.once('response', callback);
    return made;
  }
  class Agent {
    constructor(options) { this.options = options || {}; }
    destroy() {}
  }
  const unavailable = () => { throw new Error(standard.slice(0, -1) + '.createServer: scripts cannot listen'); };
  return {
    request,
    get: (...args) => request(...args).end(),
    Agent,
    globalAgent: new Agent(),
    ClientRequest,
    IncomingMessage,
    METHODS: ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT'],
    STATUS_CODES: binding.statusCodes,
    createServer: unavailable,
    Server: unavailable,
  };
};
