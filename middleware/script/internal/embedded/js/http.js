'use strict';

const EventEmitter = require('events');
const { Readable } = require('stream');
const { coded, invalidType, checkFunction } = require('internal/errors');

const hidden = (object, name, value) => Object.defineProperty(object, name, { value, writable: true, configurable: true, enumerable: false });
const token = /^[\^_`a-zA-Z\-0-9!#$%&'*+.|~]+$/;
const hungUp = (message) => coded(Error, 'ECONNRESET', message);

// What scripts do with the connection of a request: wait for it no longer than they want to.
class ClientSocket extends EventEmitter {
  constructor(request) {
    super();
    hidden(this, '_request', request);
    this.connecting = false;
  }
  get destroyed() { return this._request.destroyed; }
  setTimeout(ms, listener) {
    this._request._wait(ms);
    if (listener) this.once('timeout', listener);
    return this;
  }
  destroy(error) {
    this._request.destroy(error);
    return this;
  }
}
for (const name of ['setNoDelay', 'setKeepAlive', 'ref', 'unref', 'pause', 'resume']) {
  hidden(ClientSocket.prototype, name, function () { return this; });
}

// The answer of a service. No more of it is fetched than is read, but for what fits into a buffer.
class IncomingMessage extends Readable {
  constructor(head, request) {
    super({});
    Object.assign(this, head, { complete: false, aborted: false, url: '', method: null, trailers: {}, rawTrailers: [] });
    [this.httpVersionMajor, this.httpVersionMinor] = this.httpVersion.split('.').map(Number);
    hidden(this, 'req', request);
    hidden(this, 'socket', request.socket);
    hidden(this, 'connection', request.socket);
    this.once('close', () => request._over());
  }
  setTimeout(ms, listener) {
    this.req.setTimeout(ms, listener);
    return this;
  }
  _read() { this.req._handle.more(); }
  _destroy(error, callback) {
    if (!this.readableEnded || !this.complete) {
      this.aborted = true;
      this.emit('aborted');
      this.req._drop(error);
    }
    // As in Node, an error is for those who listen.
    process.nextTick(() => callback(this.listenerCount('error') === 0 ? null : error));
  }
}

class ClientRequest extends EventEmitter {
  constructor(options) {
    super();
    hidden(this, '_options', options);
    hidden(this, '_headers', {});
    hidden(this, '_body', []);
    hidden(this, '_handle', null);
    hidden(this, '_ended', false);
    hidden(this, 'res', null);
    hidden(this, 'socket', new ClientSocket(this));
    this.method = (options.method || 'GET').toUpperCase();
    this.path = options.path || '/';
    this.host = options.hostname || options.host || 'localhost';
    this.protocol = options.protocol;
    Object.assign(this, { destroyed: false, aborted: false, finished: false, closed: false, writableEnded: false, headersSent: false });
    if (!token.test(this.method)) throw coded(TypeError, 'ERR_INVALID_HTTP_TOKEN', 'Method must be a valid HTTP token ["' + this.method + '"]');
    if (/[^\u0021-\u00ff]/.test(this.path)) throw coded(TypeError, 'ERR_UNESCAPED_CHARACTERS', 'Request path contains unescaped characters');
    for (const [name, value] of Object.entries(options.headers || {})) this.setHeader(name, value);
    if (options.timeout) this.setTimeout(options.timeout);
    if (options.signal) this._follow(options.signal);
    process.nextTick(() => {
      if (this.destroyed) return;
      hidden(this, '_assigned', true);
      this.emit('socket', this.socket);
    });
  }
  _follow(signal) {
    const { AbortError } = require('internal/errors');
    const abort = () => this.destroy(new AbortError(signal.reason));
    if (signal.aborted) process.nextTick(abort);
    else signal.addEventListener('abort', abort);
  }
  setHeader(name, value) {
    if (typeof name !== 'string' || !token.test(name)) throw coded(TypeError, 'ERR_INVALID_HTTP_TOKEN', 'Header name must be a valid HTTP token ["' + name + '"]');
    if (value === undefined) throw coded(TypeError, 'ERR_HTTP_INVALID_HEADER_VALUE', 'Invalid value "undefined" for header "' + name + '"');
    if (/[^\t\u0020-\u007e\u0080-\u00ff]/.test(String(value))) throw coded(TypeError, 'ERR_INVALID_CHAR', 'Invalid character in header content ["' + name + '"]');
    this.removeHeader(name);
    this._headers[name] = value;
    return this;
  }
  getHeader(name) {
    const key = Object.keys(this._headers).find((k) => k.toLowerCase() === name.toLowerCase());
    return key && this._headers[key];
  }
  hasHeader(name) { return this.getHeader(name) !== undefined; }
  getHeaderNames() { return Object.keys(this._headers).map((name) => name.toLowerCase()); }
  getHeaders() { return Object.fromEntries(Object.entries(this._headers).map(([name, value]) => [name.toLowerCase(), value])); }
  removeHeader(name) {
    for (const key of Object.keys(this._headers)) {
      if (key.toLowerCase() === name.toLowerCase()) delete this._headers[key];
    }
  }
  write(data, encoding, callback) {
    const done = callback || (typeof encoding === 'function' ? encoding : () => {});
    if (this.finished) {
      const failure = coded(Error, 'ERR_STREAM_WRITE_AFTER_END', 'write after end');
      process.nextTick(() => { done(failure); this.emit('error', failure); });
      return false;
    }
    if (typeof data !== 'string' && !(data instanceof Uint8Array)) {
      throw invalidType('chunk', 'of type string or an instance of Buffer or Uint8Array', data);
    }
    this._body.push(typeof data === 'string' ? Buffer.from(data, typeof encoding === 'string' ? encoding : 'utf8') : Buffer.from(data));
    process.nextTick(done);
    return true;
  }
  end(data, encoding, callback) {
    if (this.finished) return this;
    if (data !== undefined && data !== null && typeof data !== 'function') this.write(data, encoding);
    const done = [data, encoding, callback].find((f) => typeof f === 'function');
    if (done) this.once('finish', done);
    this.finished = true;
    this.writableEnded = true;
    if (!this.destroyed) this._send();
    return this;
  }
  setTimeout(ms, listener) {
    if (listener) {
      checkFunction(listener);
      this.once('timeout', listener);
    }
    this._wait(ms);
    return this;
  }
  // The time runs anew with everything that comes.
  _wait(ms) {
    hidden(this, '_idle', ms);
    this._touch();
  }
  _touch() {
    clearTimeout(this._timer);
    hidden(this, '_timer', this._idle > 0 && !this._ended ? setTimeout(() => {
      if (this._ended) return;
      this.emit('timeout');
      this.socket.emit('timeout');
    }, this._idle) : undefined);
  }
  setNoDelay() { return this; }
  setSocketKeepAlive() { return this; }
  flushHeaders() {}
  abort() {
    if (this.aborted) return;
    this.aborted = true;
    process.nextTick(() => this.emit('abort'));
    this.destroy();
  }
  destroy(error) {
    if (this.destroyed) return this;
    this.destroyed = true;
    if (this._handle) this._handle.abort();
    process.nextTick(() => this._fail(error));
    return this;
  }
  // The answer is not wanted any more.
  _drop(error) {
    this.destroyed = true;
    hidden(this, '_ended', true);
    clearTimeout(this._timer);
    this._handle.abort();
    if (this._failed) process.nextTick(() => this._over());
    else if (error) process.nextTick(() => this.emit('error', error));
  }
  _fail(error) {
    if (this._ended) return;
    hidden(this, '_failed', true);
    if (!this.res) {
      hidden(this, '_ended', true); // what destroy leads to later is no news
      clearTimeout(this._timer);
      this.destroyed = true;
      process.nextTick(() => this._over());
      // Thrown if nobody listens. What is aborted before it has a socket has not failed.
      if (error || !this.aborted || this._assigned) this.emit('error', error || hungUp('socket hang up'));
      return;
    }
    if (error && error.code !== 'ECONNRESET') this.emit('error', error);
    this.res.destroy(hungUp('aborted'));
  }
  _over() {
    hidden(this, '_ended', true);
    clearTimeout(this._timer);
    if (this.closed) return;
    this.closed = true;
    this.destroyed = true;
    this.emit('close');
  }
  _send() {
    const { protocol, port, auth, socketPath, agent } = this._options;
    const { rejectUnauthorized, servername, ca } = Object.assign({}, this._options, agent && agent.options);
    if (auth && !this.getHeader('authorization')) {
      this.setHeader('Authorization', 'Basic ' + Buffer.from(auth).toString('base64'));
    }
    const host = this.host.includes(':') && !this.host.startsWith('[') ? '[' + this.host + ']' : this.host;
    hidden(this, '_handle', binding.request({
      url: protocol + '//' + host + (port ? ':' + port : '') + this.path,
      method: this.method,
      headers: this._headers,
      socketPath: socketPath || '',
      insecure: rejectUnauthorized === false,
      servername: servername || '',
      ca: [].concat(ca || []).map(String).join('\n'),
    }, Buffer.concat(this._body.filter((b) => b.length > 0)), {
      head: (head) => {
        if (this._ended) return;
        this._touch();
        hidden(this, 'res', new IncomingMessage(head, this));
        if (!this.emit('response', this.res)) this.res.resume();
      },
      data: (chunk) => {
        this._touch();
        if (this.res && this.res.push(Buffer.from(chunk))) this._handle.more();
      },
      end: () => {
        if (!this.res || this._ended) return;
        hidden(this, '_ended', true);
        clearTimeout(this._timer);
        this.res.complete = true;
        this.res.push(null);
      },
      close: () => this._over(),
      error: (error) => this._fail(error),
    }));
    this.headersSent = true;
    process.nextTick(() => this.destroyed || this.emit('finish'));
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
    options.protocol = options.protocol || (options.agent && options.agent.protocol) || standard;
    if (options.protocol !== standard) {
      throw coded(TypeError, 'ERR_INVALID_PROTOCOL', 'Protocol "' + options.protocol + '" not supported. Expected "' + standard + '"');
    }
    if (options.host && !options.hostname) {
      // Node takes a port in host for a part of the name; services that scripts name so are meant otherwise.
      options.hostname = options.host;
    }
    const made = new ClientRequest(options);
    if (callback) made.once('response', callback);
    return made;
  }
  class Agent extends EventEmitter {
    constructor(options) {
      super();
      Object.assign(this, { options: options || {}, protocol: standard, maxSockets: Infinity, sockets: {}, requests: {}, freeSockets: {} });
    }
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
    maxHeaderSize: 16384,
    createServer: unavailable,
    Server: unavailable,
  };
};
